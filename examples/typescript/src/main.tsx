import { ApolloProvider } from '@apollo/client/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { CasePage } from './case-page';
import { openDesk } from './desk';
import type { Line } from './live';
import { SignedOut } from './token';

function App() {
  const [line, setLine] = useState<Line>('connecting');
  const [opened, setOpened] = useState<{ number: string; desk: ReturnType<typeof openDesk> }>();

  function open(form: FormData) {
    opened?.desk.close();
    setLine('connecting');
    const tokens = String(form.get('tokens')).split(/\s+/).filter(Boolean);
    // Stands for your identity provider: the next token each time one has run out.
    const renew = async () => {
      const next = tokens.shift();
      if (next === undefined) throw new SignedOut();
      return next;
    };
    setOpened({ number: String(form.get('number')).trim(), desk: openDesk(String(form.get('url')), renew, setLine) });
  }

  return (
    <>
      <form action={open}>
        <label>
          Desk <input name="url" type="url" defaultValue={new URL('/graphql', location.href).href} required />
        </label>{' '}
        <label>
          Tokens <input name="tokens" type="password" autoComplete="off" required />
        </label>{' '}
        <label>
          Case <input name="number" placeholder="RC-000001" required />
        </label>{' '}
        <button>Open</button>
      </form>
      {opened && (
        <ApolloProvider client={opened.desk.client} key={opened.number}>
          <CasePage number={opened.number} line={line} />
        </ApolloProvider>
      )}
    </>
  );
}

createRoot(document.getElementById('root')!).render(<App />);
