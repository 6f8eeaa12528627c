/**
 * Subscriptions over WebSocket (graphql-transport-ws), for the person signed in now.
 *
 * One client for each signed-in stretch: signing in or out ends every stream that began before it.
 */
import { type Client, createClient, type SubscribePayload } from 'graphql-ws';
import type { ExecutionResult } from 'graphql';
import { ENDPOINT } from './http';
import { getToken, signOut, subscribeSession } from './session';

export type LiveStatus = { state: 'idle' | 'connecting' | 'live' | 'reconnecting'; updates: number };

let status: LiveStatus = { state: 'idle', updates: 0 };
let running = 0;
let client: Client | null = null;
let clientToken: string | null = null;
const listeners = new Set<() => void>();

export const getLiveStatus = (): LiveStatus => status;

export function subscribeLiveStatus(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setStatus(next: Partial<LiveStatus>): void {
  status = { ...status, ...next };
  for (const listener of listeners) listener();
}

const isClose = (event: unknown): event is CloseEvent => typeof event === 'object' && event !== null && 'code' in event;
/** The protocol's codes for "not with this token" (4401) and "not at all" (4403): asking again changes nothing. */
const isRefused = (event: unknown): boolean => isClose(event) && (event.code === 4401 || event.code === 4403);

function currentClient(): Client {
  const token = getToken();
  if (client && clientToken === token) return client;
  clientToken = token;
  client = createClient({
    url: new URL(ENDPOINT, window.location.href).href.replace(/^http/, 'ws'),
    connectionParams: token === null ? {} : { authorization: `Bearer ${token}` },
    retryAttempts: 10,
    shouldRetry: (event) => isClose(event) && !isRefused(event),
    on: {
      connecting: (isRetry) => setStatus({ state: isRetry ? 'reconnecting' : 'connecting' }),
      connected: () => running > 0 && setStatus({ state: 'live' }),
      closed: (event) => {
        if (isRefused(event) && token !== null && token === getToken()) {
          signOut('The server ended your session: this token is not accepted any more.');
        }
      },
    },
  });
  return client;
}

subscribeSession(() => {
  if (client && clientToken !== getToken()) {
    const old = client;
    client = null;
    void old.dispose();
  }
});

/**
 * Run one subscription; ends when the server completes it, the person stops it, or the session ends.
 *
 * Not a generator: `return()` on one waits for the update it is waiting for, and Stop must stop at once.
 */
export function stream(request: SubscribePayload): AsyncIterableIterator<ExecutionResult> {
  const variables: Record<string, unknown> = { ...request.variables };
  const payload = { ...request, variables };
  const resumable = /\$after\b/.test(request.query);
  const updates = currentClient().iterate(payload);
  let ended = false;
  running += 1;
  setStatus({ state: status.state === 'idle' ? 'connecting' : status.state, updates: 0 });
  const end = () => {
    if (ended) return;
    ended = true;
    running -= 1;
    if (running === 0) setStatus({ state: 'idle' });
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const item = await updates.next();
        if (item.done) {
          end();
          return { done: true, value: undefined };
        }
        setStatus({ state: 'live', updates: status.updates + 1 });
        // Should the connection break, the client sends this very payload again: from the last update seen.
        if (resumable) variables.after = lastCursor(item.value as ExecutionResult) ?? variables.after;
        return { done: false, value: item.value as ExecutionResult };
      } catch (error) {
        end();
        throw explain(error);
      }
    },
    async return() {
      end();
      await updates.return?.();
      return { done: true, value: undefined };
    },
  };
}

function lastCursor(update: ExecutionResult): string | undefined {
  const cursors = Object.values(update.data ?? {}).map((value) => (value as { cursor?: unknown } | null)?.cursor);
  return cursors.findLast((cursor): cursor is string => typeof cursor === 'string');
}

function explain(error: unknown): unknown {
  if (!isClose(error)) return error;
  if (isRefused(error)) {
    return new Error(getToken() === null ? 'Sign in first: the server refused this stream.' : `The server refused this stream: ${error.reason}`);
  }
  return new Error(`The stream ended (${error.code}${error.reason ? ` ${error.reason}` : ''}); run it again to go on.`);
}
