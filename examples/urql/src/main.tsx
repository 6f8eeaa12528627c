import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import { openDesk } from './desk';
import type { Line } from './live';
import { Requester } from './requester';
import { SignedOut } from './token';

function App() {
  const [line, setLine] = useState<Line>('connecting');
  const [desk, setDesk] = useState<ReturnType<typeof openDesk>>();

  function open(form: FormData) {
    desk?.close();
    const tokens = String(form.get('tokens')).split(/\s+/).filter(Boolean);
    // Stands for your identity provider: the next token each time one has run out.
    const renew = async () => {
      const next = tokens.shift();
      if (next === undefined) throw new SignedOut();
      return next;
    };
    setDesk(openDesk(String(form.get('url')), renew, setLine));
  }

  return (
    <>
      <form action={open}>
        <label>
          Desk <input name="url" type="url" defaultValue="http://localhost:8000/graphql" required />
        </label>{' '}
        <label>
          Tokens <input name="tokens" type="password" autoComplete="off" required />
        </label>{' '}
        <button>Open</button>
      </form>
      <p>
        <output aria-label="Connection">{line}</output>
      </p>
      {desk && (
        <Provider value={desk.client}>
          <Requester />
        </Provider>
      )}
    </>
  );
}

createRoot(document.getElementById('root')!).render(<App />);
