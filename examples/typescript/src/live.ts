import type { FormattedExecutionResult } from 'graphql';
import { type Client, CloseCode, createClient, type Sink, type SubscribePayload } from 'graphql-ws';
import { SignedOut, type Token } from './token';

export type Line = 'connecting' | 'live' | 'reconnecting' | 'signed out';

/** Open a socket to the desk that comes back by itself; `onLine` hears how it does. */
export function openSocket(url: string, token: Token, onLine: (line: Line) => void = () => undefined): Client {
  let sent: Promise<string> | undefined;
  return createClient({
    url: url.replace(/^http/, 'ws'),
    // Called for each connection: after a token has run out the next connection brings a new one.
    connectionParams: async () => ({ authorization: `Bearer ${await (sent = token.get())}` }),
    retryAttempts: Infinity,
    // Soon at first, then every few seconds; never all clients at once after a restart.
    retryWait: (retries) => pause(Math.min(200 * 2 ** retries, 5_000) * (0.5 + Math.random())),
    // Codes that mean a mistake of the client (4400, 4401, 4409, 4429) graphql-ws does not retry by itself.
    shouldRetry: (why) => !(why instanceof SignedOut),
    on: {
      connected: () => onLine('live'),
      closed: (event) => {
        const { code } = event as CloseEvent;
        // The token is not good any more: the same one would be refused again.
        if (code === CloseCode.Forbidden) token.refused(sent);
        onLine(code === CloseCode.InternalClientError ? 'signed out' : 'reconnecting');
      },
    },
  });
}

/** Follow a subscription; after a drop it goes on after the last update that arrived. */
export function follow(socket: Client, payload: SubscribePayload, sink: Sink<FormattedExecutionResult<Record<string, unknown>, unknown>>): () => void {
  // graphql-ws sends this object again after each reconnect, with the cursor it holds by then.
  const variables: Record<string, unknown> = { ...payload.variables };
  const subscribe = () =>
    socket.subscribe<Record<string, { cursor?: string } | null>>(
      { ...payload, variables },
      {
        next: (result) => {
          const update = Object.values(result.data ?? {})[0];
          if (update?.cursor !== undefined) variables['after'] = update.cursor;
          sink.next(result);
        },
        error: (error) => {
          // The desk was restored from before the cursor: the present state, which comes first, is what is left.
          if ('after' in variables && codesOf(error).includes('BAD_USER_INPUT')) {
            delete variables['after'];
            stop = subscribe();
          } else sink.error(error);
        },
        complete: () => sink.complete(),
      },
    );
  let stop = subscribe();
  return () => stop();
}

const codesOf = (errors: unknown): unknown[] =>
  Array.isArray(errors) ? errors.map((error) => Object(error).extensions?.code) : [];

/** Wait before another attempt. */
export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
