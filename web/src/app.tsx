/** The page: our header, GraphiQL below it, the sign-in dialog over both. */
import { useEffect, useState, useSyncExternalStore } from 'react';
import { editorStorage } from './editor-storage';
import { Header } from './header';
import { operationsFor, variablesOf } from './ready';
import { getSession, getToken, type Session, signOut, subscribeSession } from './session';
import { SignInDialog } from './sign-in';
import { getTheme, subscribeTheme } from './theme';
import { type FirstTab, Workbench } from './workbench';

export function App() {
  const session = useSyncExternalStore(subscribeSession, getSession);
  const theme = useSyncExternalStore(subscribeTheme, getTheme);
  const [signingIn, setSigningIn] = useState(session.state === 'signed-out' && session.notice === null);
  const who = session.state === 'signed-in' ? session.claims.subject : 'nobody';
  const ready = useFirstTabs(session, who);

  return (
    <div className="page">
      <Header session={session} theme={theme} onSignIn={() => setSigningIn(true)} onSignOut={() => signOut()} />
      <div className="notice" role="status">
        {session.state === 'signed-out' && session.notice !== null && (
          <p>
            {session.notice} <button type="button" className="link" onClick={() => setSigningIn(true)}>Sign in again</button>
          </p>
        )}
      </div>
      <main className="workbench" aria-label="GraphiQL">
        {/* A workbench for each person: what one saw and wrote does not stay on the screen for the next. */}
        {ready?.who === who && <Workbench key={who} who={who} person={ready.person} firstTabs={ready.tabs} theme={theme} />}
      </main>
      <SignInDialog open={signingIn && session.state === 'signed-out'} onClose={() => setSigningIn(false)} />
    </div>
  );
}

type Ready = { who: string; person: (Session & { state: 'signed-in' })['person']; tabs: FirstTab[] };

/** Make a person's first tabs, with variables that name things of now; nothing to make where tabs were kept. */
function useFirstTabs(session: Session, who: string): Ready | null {
  const [ready, setReady] = useState<Ready | null>(null);
  const person = session.state === 'signed-in' ? session.person : null;
  const waiting = session.state === 'signed-in' && person === null && !session.asked;
  useEffect(() => {
    if (waiting || ready?.who === who) return;
    let current = true;
    const operations = editorStorage(who).getItem('graphiql:tabState') === null ? operationsFor(person).slice(0, TABS_AT_FIRST) : [];
    void Promise.all(operations.map(async ({ name, query }) => ({ query, variables: await variablesOf(name, person, getToken()) }))).then((tabs) => {
      if (current) setReady({ who, person, tabs: tabs.filter((tab): tab is FirstTab => tab.variables !== null) });
    });
    return () => {
      current = false;
    };
  }, [who, waiting, person, ready?.who]);
  return ready;
}

/** More than anybody's own operations; the side panel has the others' too. */
const TABS_AT_FIRST = 30;
