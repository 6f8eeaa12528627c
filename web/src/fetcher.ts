/** How GraphiQL runs an operation: queries and mutations by POST, subscriptions by WebSocket. */
import type { Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, type ExecutionResult, getOperationAST, type OperationDefinitionNode, parse } from 'graphql';
import { post } from './http';
import { stream } from './live';
import { getToken, signOut } from './session';

export const fetcher: Fetcher = (params, options) => {
  const { query, variables } = params;
  const operation = chosenOperation(query, params.operationName);
  const operationName = operation?.name?.value ?? params.operationName;
  if (operation?.operation === 'subscription') {
    return stream({ query, operationName, variables: variables as Record<string, unknown> | undefined });
  }
  return run({ query, operationName, variables }, lowerCaseNames(options?.headers));
};

async function run(operation: Parameters<typeof post>[0], written: Record<string, string>): Promise<ExecutionResult> {
  const token = getToken();
  const own: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const answer = await post(operation, { ...own, ...written });
  const refused = answer.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') ?? false;
  if (refused && token !== null && token === getToken() && !('authorization' in written)) {
    signOut('The server does not accept your token any more, so you are signed out.');
  }
  return answer as unknown as ExecutionResult;
}

function lowerCaseNames(headers: unknown): Record<string, string> {
  const entries = Object.entries((headers ?? {}) as Record<string, unknown>);
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
}

/**
 * Find the operation that is meant. Right after a change of tab GraphiQL still says the name of the last tab's
 * operation; where the text holds one operation only, that one is meant.
 */
function chosenOperation(query: string, operationName?: string | null): OperationDefinitionNode | null {
  let document: DocumentNode;
  try {
    document = parse(query);
  } catch {
    return null; // a document that does not parse goes to the server, which says what is wrong with it
  }
  return getOperationAST(document, operationName) ?? getOperationAST(document) ?? null;
}
