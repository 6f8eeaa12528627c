import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, ServerError } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { RetryLink } from '@apollo/client/link/retry';
import { OperationTypeNode } from 'graphql';
import possibleTypes from './generated/possible-types';
import { type Line, openSocket } from './live';
import { LiveLink } from './live-link';
import { type Renew, SignedOut, Token } from './token';

/** Open the desk at an address for whoever the tokens are for; `onLine` hears how the live connection does. */
export function openDesk(url: string, renew: Renew, onLine: (line: Line) => void) {
  const token = new Token(renew);
  const socket = openSocket(url, token, onLine);
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
    new HttpLink({ uri: url }),
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
