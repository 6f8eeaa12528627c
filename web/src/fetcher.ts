/** How GraphiQL runs an operation: queries and mutations by POST, subscriptions by WebSocket. */
import type { Fetcher } from '@graphiql/toolkit';
import { type DocumentNode, type ExecutionResult, getOperationAST, GraphQLError, type OperationDefinitionNode, parse } from 'graphql';
import { keyOf, tellAnswer } from './answers';
import { writeVariables } from './editors';
import { keepFor, lookedAt, show } from './feeds';
import { post } from './http';
import { keyForPress, noteAnswered } from './keys';
import { byId } from './numbers';
import { again } from './patience';
import { getToken, signOut } from './session';

type Variables = Record<string, unknown>;

/** The newest press of all, and of each tab. */
let presses = 0;
const newest = new Map<string, number>();

export const fetcher: Fetcher = async (params, options): Promise<ExecutionResult | AsyncIterableIterator<ExecutionResult>> => {
  const { query } = params;
  const operation = chosenOperation(query, params.operationName);
  const operationName = operation?.name?.value ?? params.operationName;
  const written = (params.variables ?? {}) as Variables;
  // Whoever is signed in when the answers to our own questions are there, it is this person's press.
  const token = getToken();
  const headers = ownHeaders(token, lowerCaseNames(options?.headers));
  // The schema is asked for once: without it there are no completions and no documentation until the page is loaded again.
  if (operationName === 'IntrospectionQuery') return again(() => run({ query, operationName, variables: written }, headers, token));
  const tab = lookedAt();
  const press = ++presses;
  newest.set(tab, press);
  const pressed = operation?.operation === 'mutation' ? withFreshKey(written) : written;
  let result: ExecutionResult | AsyncIterableIterator<ExecutionResult>;
  try {
    const variables = await byId(pressed, headers);
    if (operation?.operation === 'subscription') {
      const request = { query, operationName, variables: await sinceNow(operation, variables, headers) };
      result = token === getToken() ? show(tab, request) : nothing();
    } else {
      result = await run({ query, operationName, variables }, headers, token);
      const key = keyOf(variables);
      if (key !== null) noteAnswered(key);
      tellAnswer({ variables, answer: result, came: true });
    }
  } catch (error) {
    result = { errors: [new GraphQLError(error instanceof Error ? error.message : String(error))] };
    tellAnswer({ variables: pressed, answer: result, came: false });
  }
  // GraphiQL shows what comes in whichever tab is looked at by then, and nothing of a press before its last one.
  if (press === presses && tab === lookedAt()) return result;
  if (newest.get(tab) === press) keepFor(tab, result);
  return press === presses ? nothing() : new Promise(() => {});
};

/** Ends GraphiQL's waiting, and writes nothing. */
async function* nothing(): AsyncGenerator<ExecutionResult> {}

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
  const answer = await post({ query: beginning }, headers).catch(() => null);
  const list = (answer?.data as { list?: { asOf?: string } } | null | undefined)?.list;
  return list?.asOf ? { ...variables, after: list.asOf } : variables;
}

/** Replace a key that has done its work, in the variables pane too: what is seen is what is sent. */
function withFreshKey(variables: Variables): Variables {
  const key = keyOf(variables);
  if (key === null) return variables;
  const next = keyForPress(key);
  if (next === key) return variables;
  writeVariables((text) => text.replace(/("idempotencyKey"\s*:\s*)"[^"]*"/, `$1"${next}"`));
  return { ...variables, input: { ...(variables.input as object), idempotencyKey: next } };
}

const bearer = (token: string | null): Record<string, string> => (token === null ? {} : { authorization: `Bearer ${token}` });
const ownHeaders = (token: string | null, written: Record<string, string>): Record<string, string> => ({ ...bearer(token), ...written });

async function run(operation: Parameters<typeof post>[0], headers: Record<string, string>, token: string | null): Promise<ExecutionResult> {
  const answer = await post(operation, headers);
  const refused = answer.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') ?? false;
  if (refused && token !== null && token === getToken() && headers.authorization === bearer(token).authorization) {
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
