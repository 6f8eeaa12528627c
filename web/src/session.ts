/**
 * Who is signed in: the one place that holds the token.
 *
 * The token stays in this browser tab's sessionStorage and no longer than its own `exp`; nothing else on the page
 * stores it, and no cookie is set.
 */
import { post } from './http';
import { loadPeople, takeWishedPerson } from './people';
import { type Claims, cleanToken, readClaims } from './token';

export type Person = { name: string; roles: string[]; externalRef: string };
export type Session =
  | { state: 'signed-out'; notice: string | null }
  /** Nobody knows the person until the server has said it; `asked` when it could not be. */
  | { state: 'signed-in'; token: string; claims: Claims; person: Person | null; asked: boolean };

const KEY = 'refundgql.token';
const PERSON_KEY = 'refundgql.person';
/** Browsers fire timers longer than 2^31-1 ms at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

let session: Session = { state: 'signed-out', notice: null };
let timer: number | undefined;
const listeners = new Set<() => void>();

export const getSession = (): Session => session;
export const getToken = (): string | null => (session.state === 'signed-in' ? session.token : null);

export function subscribeSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function set(next: Session): void {
  session = next;
  window.clearTimeout(timer);
  if (next.state === 'signed-in') {
    sessionStorage.setItem(KEY, next.token);
    // Beside the token, so that a reload knows at once whose tabs to open.
    if (next.person) sessionStorage.setItem(PERSON_KEY, JSON.stringify(next.person));
    watchExpiry(next.claims);
  } else {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(PERSON_KEY);
  }
  for (const listener of listeners) listener();
}

function watchExpiry(claims: Claims): void {
  const left = claims.expiresAt - Date.now();
  if (left <= 0) {
    signOut(`Your token expired at ${clockTime(claims.expiresAt)}, so you are signed out.`);
    return;
  }
  timer = window.setTimeout(() => watchExpiry(claims), Math.min(left, LONGEST_TIMER_MS));
}

// A laptop that slept past the expiry wakes with its timer late.
document.addEventListener('visibilitychange', () => {
  if (session.state === 'signed-in' && !document.hidden && session.claims.expiresAt <= Date.now()) {
    watchExpiry(session.claims);
  }
});

let wishes = 0;

/** Sign in with a pasted token once the server has said who it belongs to; throws one sentence when it does not. */
export async function signIn(pasted: string): Promise<void> {
  const wish = ++wishes;
  const given = cleanToken(pasted);
  if (given === '') throw new Error('Paste a token first.');
  const token = (await loadPeople()).find((person) => person.shortToken === given)?.token ?? given;
  const claims = readClaims(token);
  if (claims.expiresAt <= Date.now()) throw new Error(`This token expired at ${clockTime(claims.expiresAt)}.`);
  const person = await askWho(token);
  if (wish !== wishes) return; // somebody else was wished for meanwhile
  set({ state: 'signed-in', token, claims, person, asked: true });
}

/** Sign out, telling why in one sentence where it was not the person's own wish. */
export function signOut(notice: string | null = null): void {
  if (session.state === 'signed-in' || notice !== null) set({ state: 'signed-out', notice });
}

/** Sign in whom the address asks for (`#person=REF`), where that is somebody of a demo. */
export async function signInByAddress(): Promise<void> {
  const wished = takeWishedPerson();
  if (wished === null) return;
  const person = (await loadPeople()).find((one) => one.externalRef === wished);
  if (!person) signOut(`There is nobody called ${wished} to be signed in by a link: links like this one are a demo's.`);
  else if (session.state !== 'signed-in' || session.claims.subject !== wished) await signIn(person.token);
}

/** Take up the token that this browser tab kept over a reload, unless its time is over. */
export function resumeSession(): void {
  const token = sessionStorage.getItem(KEY);
  if (token === null) return;
  let claims: Claims;
  try {
    claims = readClaims(token);
  } catch {
    sessionStorage.removeItem(KEY);
    return;
  }
  set({ state: 'signed-in', token, claims, person: keptPerson(claims.subject), asked: false });
  if (getToken() !== token) return;
  askWho(token).then(
    (person) => {
      if (getToken() === token) set({ state: 'signed-in', token, claims, person, asked: true });
    },
    (error: unknown) => {
      if (getToken() !== token) return;
      if (error instanceof TokenRefused) signOut(error.message);
      else set({ state: 'signed-in', token, claims, person: keptPerson(claims.subject), asked: true });
    },
  );
}

function keptPerson(subject: string): Person | null {
  const kept = JSON.parse(sessionStorage.getItem(PERSON_KEY) ?? 'null') as Person | null;
  return kept?.externalRef === subject ? kept : null;
}

export class TokenRefused extends Error {}

async function askWho(token: string): Promise<Person> {
  const answer = await post({ query: 'query WhoAmI { viewer { name roles externalRef } }' }, { authorization: `Bearer ${token}` });
  const viewer = (answer.data as { viewer?: Person | null } | null | undefined)?.viewer;
  if (viewer) return viewer;
  const fault = answer.errors?.[0];
  if (fault && fault.extensions?.code !== 'UNAUTHENTICATED') {
    throw new Error(`The server could not say who you are: ${fault.message}`);
  }
  throw new TokenRefused(`The server does not accept this token. ${fault?.message ?? ''}`.trim());
}

export function clockTime(instant: number): string {
  const sameDay = new Date(instant).toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(undefined, sameDay ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' }).format(
    instant,
  );
}
