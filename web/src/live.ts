/**
 * Subscriptions over WebSocket (graphql-transport-ws), for the person signed in now, through restarts and sleep.
 *
 * One client for each signed-in stretch: signing in or out ends every stream that began before it. A stream that was
 * cut goes on after the last cursor it saw, however long the server was away.
 */
import { type Client, createClient } from 'graphql-ws';
import { ENDPOINT } from './http';
import { wait } from './patience';
import { getToken, signOut, subscribeSession } from './session';

export type LiveState = 'idle' | 'connecting' | 'live' | 'reconnecting';
export type LiveStatus = { state: LiveState; since: number; streams: number; updates: number };
export type Request = { query: string; operationName?: string | null; variables?: Record<string, unknown> | null };
export type Follower = {
  next: (data: Record<string, unknown>) => void;
  /** Told once; with a sentence where the stream did not end by our own wish. */
  end: (why: string | null) => void;
};

const PING_MS = 10_000;
/** A laptop that slept has a socket that looks open: no answer to a ping within this says that it is not. */
const PONG_MS = 4_000;
/** Faults that pass by themselves; everything else ends the stream. */
const PASSING = new Set(['SERVICE_UNAVAILABLE', 'INTERNAL_SERVER_ERROR', 'RATE_LIMITED']);

let status: LiveStatus = { state: 'idle', since: Date.now(), streams: 0, updates: 0 };
let client: Client | null = null;
let clientToken: string | null = null;
let hasBeenLive = false;
const listeners = new Set<() => void>();
const running = new Set<() => void>();

export const getLiveStatus = (): LiveStatus => status;

export function subscribeLiveStatus(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(next: Partial<LiveStatus>): void {
  const since = next.state !== undefined && next.state !== status.state ? Date.now() : status.since;
  status = { ...status, ...next, since };
  for (const listener of listeners) listener();
}

/** Say what is so: nothing runs, it is live, or it is not yet, or not any more. */
function tellConnection(open: boolean): void {
  if (running.size === 0) tell({ state: 'idle', streams: 0, updates: 0 });
  else tell({ state: open ? 'live' : hasBeenLive ? 'reconnecting' : 'connecting', streams: running.size });
}

const isClose = (event: unknown): event is CloseEvent => typeof event === 'object' && event !== null && 'code' in event && 'wasClean' in event;
/** The protocol's codes for "not with this token" (4401) and "not at all" (4403): asking again changes nothing. */
const isRefused = (event: unknown): boolean => isClose(event) && (event.code === 4401 || event.code === 4403);
/** What is wrong with the stream itself, such as one too many of a name (4400, 4409, 4429): neither does it here. */
const isOurFault = (event: unknown): boolean => isClose(event) && [4400, 4409].includes(event.code);

function currentClient(): Client {
  const token = getToken();
  if (client && clientToken === token) return client;
  clientToken = token;
  hasBeenLive = false;
  let overdue: number | undefined;
  const made = createClient({
    url: new URL(ENDPOINT, window.location.href).href.replace(/^http/, 'ws'),
    connectionParams: token === null ? {} : { authorization: `Bearer ${token}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: wait,
    shouldRetry: (event) => !isRefused(event) && !isOurFault(event),
    keepAlive: PING_MS,
    on: {
      connected: () => {
        hasBeenLive = true;
        tellConnection(true);
      },
      ping: (received) => {
        if (!received) overdue = window.setTimeout(() => made.terminate(), PONG_MS);
      },
      pong: (received) => {
        if (received) window.clearTimeout(overdue);
      },
      closed: (event) => {
        window.clearTimeout(overdue);
        if (client !== made) return;
        tellConnection(false);
        if (isRefused(event) && token !== null && token === getToken()) {
          signOut('The server ended your session: this token is not accepted any more.');
        }
      },
    },
  });
  client = made;
  return made;
}

subscribeSession(() => {
  if (client && clientToken !== getToken()) {
    const old = client;
    client = null;
    for (const stop of [...running]) stop();
    void old.dispose();
    tellConnection(false);
  }
});

/** Follow one subscription until it is stopped, the server completes it, or the session ends. */
export function follow(request: Request, follower: Follower): () => void {
  const variables: Record<string, unknown> = { ...request.variables };
  const resumable = /\$after\b/.test(request.query);
  let over = false;
  let unsubscribe = () => {};
  const finish = (why: string | null) => {
    if (over) return;
    over = true;
    running.delete(stop);
    unsubscribe();
    if (running.size === 0) tellConnection(false);
    else tell({ streams: running.size });
    follower.end(why);
  };
  const stop = () => finish(null);
  const begin = () => {
    // The client sends this very payload again after a cut: from the last update seen.
    unsubscribe = currentClient().subscribe<Record<string, unknown>>(
      { query: request.query, operationName: request.operationName, variables },
      {
        next: ({ data, errors }) => {
          if (!data) {
            if (errors) finish(errors.map((one) => one.message).join(' '));
            return;
          }
          if (resumable) variables.after = lastCursor(data) ?? variables.after;
          tell({ state: 'live', updates: status.updates + 1 });
          follower.next(data);
        },
        error: (error) => {
          if (over) return;
          const code = Array.isArray(error) ? (error[0] as { extensions?: { code?: string } }).extensions?.code : undefined;
          if (code !== undefined && PASSING.has(code)) {
            tellConnection(false);
            void wait(4).then(() => !over && begin());
          } else finish(explain(error));
        },
        complete: () => finish('The server ended this stream.'),
      },
    );
  };
  running.add(stop);
  if (status.state === 'idle') tell({ state: 'connecting', streams: running.size });
  else tell({ streams: running.size });
  begin();
  return stop;
}

function lastCursor(data: Record<string, unknown>): string | undefined {
  const cursors = Object.values(data).map((value) => (value as { cursor?: unknown } | null)?.cursor);
  return cursors.findLast((cursor): cursor is string => typeof cursor === 'string');
}

function explain(error: unknown): string {
  if (isRefused(error)) return getToken() === null ? 'Sign in first: the server refused this stream.' : 'The server refused this stream.';
  if (isClose(error)) return `The stream ended (${error.code}${error.reason ? ` ${error.reason}` : ''}); run it again to go on.`;
  if (Array.isArray(error)) return error.map((one) => (one as { message: string }).message).join(' ');
  return error instanceof Error ? error.message : 'The stream ended.';
}
