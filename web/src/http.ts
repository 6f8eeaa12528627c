/** One operation over HTTP: POST, JSON in, JSON out. Knows nothing of who is signed in. */
export type GraphQLAnswer = {
  data?: unknown;
  errors?: { message: string; extensions?: { code?: string } }[];
  extensions?: unknown;
};
export type Operation = { query: string; operationName?: string | null; variables?: unknown };

/** Beside the page, so that a path prefix of a proxy needs no setting. */
export const ENDPOINT = new URL('graphql', document.baseURI).pathname;

/** Send one operation; throws one sentence when there is no GraphQL answer at all. */
export async function post(operation: Operation, headers: Record<string, string>): Promise<GraphQLAnswer> {
  let response: Response;
  try {
    response = await fetch(ENDPOINT, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json, application/json;q=0.9',
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(operation),
      referrerPolicy: 'no-referrer',
    });
  } catch {
    throw new Error('The server did not answer; is it running?');
  }
  const text = await response.text();
  try {
    return JSON.parse(text) as GraphQLAnswer;
  } catch {
    throw new Error(`The server answered ${response.status} without JSON: ${text.slice(0, 200)}`);
  }
}
