/** The bar on top: what this is, what streams, who is signed in, light or dark. */
import { useSyncExternalStore } from 'react';
import { MoonIcon, SunIcon } from './icons';
import { getLiveStatus, subscribeLiveStatus } from './live';
import { clockTime, type Session } from './session';
import { chooseTheme, type Theme } from './theme';

type Props = { session: Session; theme: Theme; onSignIn: () => void; onSignOut: () => void };

export function Header({ session, theme, onSignIn, onSignOut }: Props) {
  const other: Theme = theme === 'dark' ? 'light' : 'dark';
  return (
    <header className="bar">
      <div className="brand">
        <img src="graphiql/icon.svg" alt="" width="28" height="28" />
        <h1>
          refundgql <span>GraphiQL</span>
        </h1>
      </div>
      <LivePill />
      <div className="who" role="group" aria-label="Session">
        {session.state === 'signed-in' ? <SignedIn session={session} onSignOut={onSignOut} /> : <SignedOut onSignIn={onSignIn} />}
        <button
          type="button"
          className="icon-button"
          aria-label={`Switch to the ${other} theme`}
          title={`Switch to the ${other} theme`}
          onClick={() => chooseTheme(other)}
        >
          {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
        </button>
      </div>
    </header>
  );
}

function SignedIn({ session, onSignOut }: { session: Session & { state: 'signed-in' }; onSignOut: () => void }) {
  const { person, claims } = session;
  const name = person?.name ?? claims.subject;
  return (
    <>
      <span className="avatar" aria-hidden="true">
        {initials(name)}
      </span>
      <span className="person">
        <span className="name" data-testid="person-name">
          {name}
        </span>
        <span className="until" title={`The token expires at ${new Date(claims.expiresAt).toLocaleString()}`}>
          until {clockTime(claims.expiresAt)}
        </span>
      </span>
      {person?.roles.map((role) => (
        <span className="role" key={role} data-testid="person-role">
          {role}
        </span>
      ))}
      <button type="button" className="quiet" onClick={onSignOut}>
        Sign out
      </button>
    </>
  );
}

function SignedOut({ onSignIn }: { onSignIn: () => void }) {
  return (
    <>
      <span className="anonymous" data-testid="signed-out">
        Not signed in
      </span>
      <button type="button" className="primary" onClick={onSignIn}>
        Sign in
      </button>
    </>
  );
}

function LivePill() {
  const { state, since, streams, updates } = useSyncExternalStore(subscribeLiveStatus, getLiveStatus);
  const text = {
    idle: '',
    connecting: 'Connecting…',
    live: 'Live',
    reconnecting: 'Reconnecting…',
  }[state];
  return (
    <div className="live" role="status" aria-label="Live updates" data-state={state} title={streams === 0 ? undefined : `${streams} running`}>
      {text !== '' && (
        <span>
          {text}
          {state === 'live' && <small> · {updates === 1 ? '1 update' : `${updates} updates`}</small>}
          {state === 'reconnecting' && <small> since {clockTime(since)}</small>}
        </span>
      )}
    </div>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s_.-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0]!, words.at(-1)!] : words;
  return letters.map((word) => word.slice(0, 1).toUpperCase()).join('');
}
