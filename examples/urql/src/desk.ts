import { authExchange } from '@urql/exchange-auth';
import { cacheExchange } from '@urql/exchange-graphcache';
import { retryExchange } from '@urql/exchange-retry';
import { CloseCode, createClient as createSocket } from 'graphql-ws';
import { Client, fetchExchange, type Operation, subscriptionExchange } from 'urql';
import { keys } from './generated/cache-keys';
import schema from './generated/introspection';

export type Line = 'connecting' | 'live' | 'reconnecting';
/** Ask whoever signs people in for a token that is good from now on. */
export type Renew = () => Promise<string>;

/** Open the desk at an address, of another origin than the page's if need be. */
export function openDesk(url: string, renew: Renew, onLine: (line: Line) => void) {
  let token = '';
  let renewing: Promise<string> | undefined;
  // HTTP and the socket may need a new token at the same moment: they share one.
  const fresh = () => (renewing ??= renew().then((found) => (token = found)).finally(() => (renewing = undefined)));
  const socket = createSocket({
    url: url.replace(/^http/, 'ws'),
    // Called for each connection: after a token has run out the next connection brings a new one.
    connectionParams: async () => ({ authorization: `Bearer ${token || (await fresh())}` }),
    retryAttempts: Infinity,
    retryWait: (retries) => pause(Math.min(200 * 2 ** retries, 5_000) * (0.5 + Math.random())),
    shouldRetry: () => true,
    on: {
      connected: () => onLine('live'),
      closed: (event) => {
        if ((event as CloseEvent).code === CloseCode.Forbidden) token = '';
        onLine('reconnecting');
      },
    },
  });
  const client = new Client({
    url,
    preferGetMethod: false, // the desk takes operations by POST alone
    exchanges: [
      cacheExchange({ schema, keys, updates: { Mutation: { requestLeadRefund: (_, __, cache) => cache.invalidate('Query', 'leads') } } }),
      // Every mutation carries its idempotency key, so whatever was cut off may be sent again.
      retryExchange({ maxNumberAttempts: 5, retryIf: ({ networkError, response }) => !!networkError && !isOurs(response?.status) }),
      authExchange(async ({ appendHeaders }) => {
        token || (await fresh());
        return {
          addAuthToOperation: (operation: Operation) => appendHeaders(operation, { authorization: `Bearer ${token}` }),
          didAuthError: ({ graphQLErrors }) => graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED'),
          refreshAuth: async () => void (await fresh()),
        };
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => {
          // graphql-ws sends this object again after each reconnect, with the cursor it holds by then.
          const variables: Record<string, unknown> = { ...request.variables };
          return {
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe(
                { query: request.query ?? '', variables },
                {
                  next: (result) => {
                    const update = Object.values(result.data ?? {})[0] as { cursor?: string } | null;
                    if (update?.cursor !== undefined) variables['after'] = update.cursor;
                    sink.next(result as Parameters<typeof sink.next>[0]);
                  },
                  error: (error) => sink.error(error),
                  complete: () => sink.complete(),
                },
              ),
            }),
          };
        },
      }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** A request of ours that is wrong stays wrong; one that came too fast or found the desk away does not. */
const isOurs = (status = 0) => status >= 400 && status < 500 && status !== 429;

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
