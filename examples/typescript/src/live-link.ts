import { ApolloLink, Observable } from '@apollo/client';
import { print } from 'graphql';
import type { Client } from 'graphql-ws';
import { follow } from './live';

/** Sends subscriptions through a socket that goes on where it was. */
export class LiveLink extends ApolloLink {
  constructor(private readonly socket: Client) {
    super();
  }

  override request({ query, operationName, variables }: ApolloLink.Operation): Observable<ApolloLink.Result> {
    return new Observable((sink) =>
      follow(
        this.socket,
        { query: print(query), operationName: operationName ?? null, variables },
        {
          next: (result) => sink.next(result as ApolloLink.Result),
          error: (error) => sink.error(error),
          complete: () => sink.complete(),
        },
      ),
    );
  }
}
