import { ApolloLink, Observable } from '@apollo/client';
import { print, type GraphQLFormattedError } from 'graphql';
import type { Client } from 'graphql-ws';

type Update = { cursor?: string } | null;

/** Sends subscriptions through graphql-ws and, after a drop, goes on after the last update that arrived. */
export class LiveLink extends ApolloLink {
  constructor(private readonly socket: Client) {
    super();
  }

  override request(operation: ApolloLink.Operation): Observable<ApolloLink.Result> {
    return new Observable((sink) => {
      // graphql-ws sends this object again after each reconnect, with the cursor it holds by then.
      const variables: Record<string, unknown> = { ...operation.variables };
      const payload = { query: print(operation.query), operationName: operation.operationName ?? null, variables };
      const subscribe = () =>
        this.socket.subscribe<Record<string, Update>>(payload, {
          next: (result) => {
            const update = Object.values(result.data ?? {})[0];
            if (update?.cursor !== undefined) variables['after'] = update.cursor;
            sink.next(result as ApolloLink.Result);
          },
          error: (error) => {
            // The desk was restored from before the cursor: the present state, which comes first, is what is left.
            if ('after' in variables && codesOf(error).includes('BAD_USER_INPUT')) {
              delete variables['after'];
              stop = subscribe();
            } else sink.error(error);
          },
          complete: () => sink.complete(),
        });
      let stop = subscribe();
      return () => stop();
    });
  }
}

const codesOf = (error: unknown) =>
  Array.isArray(error) ? error.map(({ extensions }: GraphQLFormattedError) => extensions?.['code']) : [];
