import { authExchange } from '@urql/exchange-auth';
import { cacheExchange } from '@urql/exchange-graphcache';
import { retryExchange } from '@urql/exchange-retry';
import { Client, fetchExchange, type Operation, subscriptionExchange } from 'urql';
import { keys } from './generated/cache-keys';
import schema from './generated/introspection';
import { follow, type Line, openSocket } from './live';
import { type Renew, Token } from './token';

/** Open the desk at an address, of another origin than the page's if need be. */
export function openDesk(url: string, renew: Renew, onLine: (line: Line) => void) {
  const token = new Token(renew);
  const socket = openSocket(url, token, onLine);
  const client = new Client({
    url,
    preferGetMethod: false, // the desk takes operations by POST alone
    exchanges: [
      cacheExchange({ schema, keys, updates: { Mutation: { requestLeadRefund: (_, __, cache) => cache.invalidate('Query', 'leads') } } }),
      // Every mutation carries its idempotency key, so whatever was cut off may be sent again.
      retryExchange({ maxNumberAttempts: 5, retryIf: ({ networkError, response }) => !!networkError && !isOurs(response?.status) }),
      authExchange(async ({ appendHeaders }) => {
        let held = token.get();
        let text = await held.catch(() => '');
        return {
          addAuthToOperation: (operation: Operation) => appendHeaders(operation, { authorization: `Bearer ${text}` }),
          didAuthError: ({ graphQLErrors }) => graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED'),
          refreshAuth: async () => {
            token.refused(held); // a newer one, which the socket has got meanwhile, stays
            held = token.get();
            text = await held.catch(() => '');
          },
        };
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: follow(socket, { query, variables: variables ?? {} }, {
              next: (result) => sink.next(result as Parameters<typeof sink.next>[0]),
              error: (error) => sink.error(error),
              complete: () => sink.complete(),
            }),
          }),
        }),
      }),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** A request of ours that is wrong stays wrong; one that came too fast or found the desk away does not. */
const isOurs = (status = 0) => status >= 400 && status < 500 && status !== 429;
