/** How GraphiQL runs an operation: queries and mutations by POST, subscriptions by WebSocket. */
import type { Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, type ExecutionResult, getOperationAST, type OperationDefinitionNode, parse } from 'graphql';
import { tellAnswer } from './answers';
import { writeVariables } from './editors';
import { show } from './feeds';
import { post } from './http';
import { keyForPress, noteAnswered } from './keys';
import { byId } from './numbers';
import { again } from './patience';
import { getToken, signOut } from './session';

type Variables = Record<string, unknown>;

export const fetcher: Fetcher = async (params, options) => {
  const { query } = params;
  const operation = chosenOperation(query, params.operationName);
  const operationName = operation?.name?.value ?? params.operationName;
  const written = (params.variables ?? {}) as Variables;
  const headers = lowerCaseNames(options?.headers);
  const pressed = operation?.operation === 'mutation' ? withFreshKey(written) : written;
  const variables = await byId(pressed, ownHeaders(headers));
  if (operation?.operation === 'subscription') return show({ query, operationName, variables: await sinceNow(operation, variables, headers) });
  const send = () => run({ query, operationName, variables }, headers);
  // The schema is asked for once: without it there are no completions and no documentation until the page is loaded again.
  const answer = await (operationName === 'IntrospectionQuery' ? again(send) : send());
  const key = keyOf(variables);
  if (key !== null) noteAnswered(key);
  tellAnswer({ operationName: operationName ?? null, variables, answer });
  return answer;
};

/** Where the streams that begin with what comes next get their first cursor, to go on after it when they are cut early. */
const BEGINNINGS: Record<string, string> = {
  supportQueueUpdates: 'query AsOf { list: supportQueue(first: 1) { asOf } }',
  viewerRefundUpdates: 'query AsOf { list: refundCases(first: 1) { asOf } }',
  viewerWithdrawalUpdates: 'query AsOf { list: refundCases(first: 1) { asOf } }',
};

async function sinceNow(operation: OperationDefinitionNode, variables: Variables, headers: Record<string, string>): Promise<Variables> {
  const [field] = operation.selectionSet.selections;
  const beginning = field?.kind === 'Field' ? BEGINNINGS[field.name.value] : undefined;
  const takesOne = operation.variableDefinitions?.some(({ variable }) => variable.name.value === 'after');
  if (!beginning || !takesOne || variables.after) return variables;
  const answer = await post({ query: beginning }, ownHeaders(headers)).catch(() => null);
  const list = (answer?.data as { list?: { asOf?: string } } | null | undefined)?.list;
  return list?.asOf ? { ...variables, after: list.asOf } : variables;
}

const keyOf = (variables: Variables): string | null => {
  const key = (variables.input as { idempotencyKey?: unknown } | undefined)?.idempotencyKey;
  return typeof key === 'string' ? key : null;
};

/** Replace a key that has done its work, in the variables pane too: what is seen is what is sent. */
function withFreshKey(variables: Variables): Variables {
  const key = keyOf(variables);
  if (key === null) return variables;
  const next = keyForPress(key);
  if (next === key) return variables;
  writeVariables((text) => text.replace(/("idempotencyKey"\s*:\s*)"[^"]*"/, `$1"${next}"`));
  return { ...variables, input: { ...(variables.input as object), idempotencyKey: next } };
}

function ownHeaders(written: Record<string, string>): Record<string, string> {
  const token = getToken();
  return { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...written };
}

async function run(operation: Parameters<typeof post>[0], written: Record<string, string>): Promise<ExecutionResult> {
  const token = getToken();
  const answer = await post(operation, ownHeaders(written));
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
