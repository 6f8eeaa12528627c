import { CloseCode, createClient } from 'graphql-ws';
import {
  Environment,
  type GraphQLResponse,
  Network,
  Observable,
  RecordSource,
  type RequestParameters,
  Store,
  type Variables,
} from 'relay-runtime';
import { type Renew, SignedOut, Token } from './token';

/** Open the desk at an address: its environment, and what closes its line. */
export function openDesk(url: string, renew: Renew) {
  const token = new Token(renew);
  let sent: Promise<string> | undefined;
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    // Called for each connection: after a token has run out the next connection brings a new one.
    connectionParams: async () => ({ authorization: `Bearer ${await (sent = token.get())}` }),
    retryAttempts: Infinity,
    retryWait: (retries) => pause(Math.min(200 * 2 ** retries, 5_000) * (0.5 + Math.random())),
    shouldRetry: (why) => !(why instanceof SignedOut),
    on: {
      closed: (event) => {
        if ((event as CloseEvent).code === CloseCode.Forbidden) token.refused(sent);
      },
    },
  });

  async function send({ text: query }: RequestParameters, variables: Variables): Promise<GraphQLResponse> {
    const body = JSON.stringify({ query, variables });
    for (let last = false; ; last = true) {
      const held = token.get();
      const headers = { authorization: `Bearer ${await held}`, 'content-type': 'application/json' };
      const result = (await (await fetch(url, { method: 'POST', headers, body })).json()) as GraphQLResponse;
      if (last || !codesOf(result).includes('UNAUTHENTICATED')) return result;
      token.refused(held); // and the same request is sent once more
    }
  }

  const follow = ({ text: query }: RequestParameters, given: Variables) =>
    Observable.create<GraphQLResponse>((sink) => {
      // graphql-ws sends this object again after each reconnect, with the cursor it holds by then.
      const variables: Record<string, unknown> = { ...given };
      return socket.subscribe<Record<string, { cursor?: string } | null>>(
        { query: query ?? '', variables },
        {
          next: (result) => {
            const update = Object.values(result.data ?? {})[0];
            if (update?.cursor !== undefined) variables['after'] = update.cursor;
            sink.next(result as GraphQLResponse);
          },
          error: (error) => sink.error(error instanceof Error ? error : new Error(JSON.stringify(error))),
          complete: () => sink.complete(),
        },
      );
    });

  const environment = new Environment({ network: Network.create(send, follow), store: new Store(new RecordSource()) });
  return { environment, close: () => void socket.dispose() };
}

const codesOf = (result: GraphQLResponse) =>
  [result].flat().flatMap((one) => ('errors' in one ? (one.errors ?? []) : [])).map((error) => Object(error).extensions?.code);

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
