import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, ServerError } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import { CloseCode, createClient } from 'graphql-ws';
import possibleTypes from './generated/possible-types';
import { LiveLink } from './live-link';
import { type Renew, SignedOut, Token } from './token';

export type Line = 'connecting' | 'live' | 'reconnecting' | 'signed out';

/** Open the desk for whoever the tokens are for; `onLine` hears how the live connection does. */
export function openDesk(renew: Renew, onLine: (line: Line) => void) {
  const token = new Token(renew);
  let sent: Promise<string> | undefined;
  const socket = createClient({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
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
  const http = ApolloLink.from([
    new RetryLink({ attempts: { max: 5, retryIf: isWorthRepeating }, delay: { initial: 200, max: 5_000 } }),
    // A refused token is forgotten and the same request sent once more: the link below asks for another one.
    new ErrorLink(({ error, operation, forward }) => {
      if (!isUnauthenticated(error)) return;
      token.refused(operation.getContext()['token']);
      return forward(operation);
    }),
    new SetContextLink(async ({ headers }) => {
      const held = token.get();
      return { headers: { ...headers, authorization: `Bearer ${await held}` }, token: held };
    }),
    new HttpLink({ uri: '/graphql' }),
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
  return !CombinedGraphQLErrors.is(error) && !(error instanceof SignedOut);
}

const isUnauthenticated = (error: unknown) =>
  CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.['code'] === 'UNAUTHENTICATED');

const caseWith = (id: unknown) => ({ __typename: 'RefundCase', id: String(id) });

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
