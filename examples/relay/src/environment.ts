import { Environment, type GraphQLResponse, Network, Observable, RecordSource, type RequestParameters, Store } from 'relay-runtime';
import type { Variables } from 'relay-runtime';
import { follow, type Line, openSocket, pause } from './live';
import { type Renew, Token } from './token';

const ATTEMPTS = 5;

/** Open the desk at an address: its environment, and what closes its line. */
export function openDesk(url: string, renew: Renew, onLine?: (line: Line) => void) {
  const token = new Token(renew);
  const socket = openSocket(url, token, onLine);

  async function send({ text: query }: RequestParameters, variables: Variables): Promise<GraphQLResponse> {
    const body = JSON.stringify({ query, variables });
    for (let attempt = 1, renewed = false; ; ) {
      const held = token.get();
      const headers = { authorization: `Bearer ${await held}`, 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body }).catch((fault: Error) => fault);
      // Cut off, too fast, or the desk is away: every mutation carries its key, so the same may be sent again.
      if (answer instanceof Error || answer.status === 429 || answer.status >= 500) {
        if (attempt === ATTEMPTS) throw answer instanceof Error ? answer : new Error(`Status ${answer.status}`);
        await pause(200 * 2 ** attempt++ * (0.5 + Math.random()));
        continue;
      }
      const result = (await answer.json()) as GraphQLResponse;
      if (renewed || !codesOf(result).includes('UNAUTHENTICATED')) return result;
      token.refused(held); // and the same request is sent once more
      renewed = true;
    }
  }

  const subscribe = ({ text }: RequestParameters, variables: Variables) =>
    Observable.create<GraphQLResponse>((sink) =>
      follow(socket, { query: text ?? '', variables }, {
        next: (result) => sink.next(result as GraphQLResponse),
        error: (error) => sink.error(error instanceof Error ? error : new Error(JSON.stringify(error))),
        complete: () => sink.complete(),
      }),
    );

  const environment = new Environment({ network: Network.create(send, subscribe), store: new Store(new RecordSource()) });
  return { environment, close: () => void socket.dispose() };
}

const codesOf = (result: GraphQLResponse) =>
  [result].flat().flatMap((one) => ('errors' in one ? (one.errors ?? []) : [])).map((error) => Object(error).extensions?.code);
