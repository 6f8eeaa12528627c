import { ApolloProvider } from '@apollo/client/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { CasePage } from './case-page';
import { type Line, openDesk } from './desk';

function App() {
  const [line, setLine] = useState<Line>('connecting');
  const [opened, setOpened] = useState<{ number: string; desk: ReturnType<typeof openDesk> }>();

  function open(form: FormData) {
    opened?.desk.close();
    setLine('connecting');
    setOpened({ number: String(form.get('number')).trim(), desk: openDesk(String(form.get('token')).trim(), setLine) });
  }

  return (
    <>
      <form action={open}>
        <label>
          Token <input name="token" type="password" autoComplete="off" required />
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
