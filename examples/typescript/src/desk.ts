import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, ServerError } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import { CloseCode, createClient } from 'graphql-ws';
import possibleTypes from './generated/possible-types';
import { LiveLink } from './live-link';

export type Line = 'connecting' | 'live' | 'reconnecting' | 'signed out';

/** Open the desk for whoever the token is for; `onLine` hears how the live connection does. */
export function openDesk(token: string, onLine: (line: Line) => void) {
  const socket = createClient({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: Infinity,
    // Soon at first, then every few seconds; never all clients at once after a restart.
    retryWait: (retries) => pause(Math.min(200 * 2 ** retries, 5_000) * (0.5 + Math.random())),
    // 4403 says that the token is not good any more: the same one would be refused again. Codes that mean a mistake
    // of the client (4400, 4401, 4409, 4429) graphql-ws does not retry by itself.
    shouldRetry: (event) => !(event instanceof CloseEvent && event.code === CloseCode.Forbidden),
    on: {
      connected: () => onLine('live'),
      closed: (event) => onLine((event as CloseEvent).code === CloseCode.Forbidden ? 'signed out' : 'reconnecting'),
    },
  });
  const http = ApolloLink.from([
    new RetryLink({ attempts: { max: 5, retryIf: isWorthRepeating }, delay: { initial: 200, max: 5_000 } }),
    new HttpLink({ uri: '/graphql', headers: { authorization: `Bearer ${token}` } }),
  ]);
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new LiveLink(socket),
      http,
    ),
    cache: new InMemoryCache({
      possibleTypes: possibleTypes.possibleTypes,
      typePolicies: {
        // What has an `id` is kept once, under its type and id; these are parts of a case and are merged into it.
        Settlement: { merge: true },
        // A case that is known already is not fetched again to be looked up by its id.
        Query: {
          fields: {
            refundCase: (known, { args, toReference }) => (known === undefined ? toReference(caseWith(args?.['id'])) : known),
          },
        },
      },
    }),
  });
  return { client, close: () => void socket.dispose() };
}

/** Whether the same request may be sent again: every mutation carries its idempotency key, so nothing happens twice. */
function isWorthRepeating(error: unknown): boolean {
  if (ServerError.is(error)) return error.statusCode === 429 || error.statusCode >= 500;
  return !CombinedGraphQLErrors.is(error);
}

const caseWith = (id: unknown) => ({ __typename: 'RefundCase', id: String(id) });

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
