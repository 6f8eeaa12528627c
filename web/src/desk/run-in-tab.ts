/** Write an operation into its tab, run it there, and hand back what it was answered. */
import { useGraphiQLActions } from '@graphiql/react';
import { onAnswer } from '../answers';
import { useOpenOperation } from '../open-operation';
import { asText, documentOf } from '../ready';

export type Refusal = { message: string; rule?: string | null };
export type Payload = { event?: { name: string } | null; refusals: Refusal[]; results?: (Payload & { refundCase?: { state: string } | null })[] };
export type Outcome = { good: boolean; said: string[] };
type Answer = { data?: Record<string, Payload | null> | null; errors?: { message: string }[] };

/** Return what runs an operation in its tab: the payload of its mutation, or in words why there is none. */
export function useRunInTab(): (operation: string, variables: object) => Promise<Payload | string[]> {
  const { run } = useGraphiQLActions();
  const openOperation = useOpenOperation();
  return async (operation, variables) => {
    await openOperation(operation, documentOf(operation), asText(variables));
    let answered: Answer = { errors: [{ message: 'The operation did not reach the server; its tab says why.' }] };
    const off = onAnswer(({ operationName, answer }) => {
      if (operationName === operation) answered = answer as Answer;
    });
    await run();
    off();
    const payload = Object.values(answered.data ?? {})[0];
    return payload ?? (answered.errors ?? []).map(({ message }) => message);
  };
}

export const inFull = ({ message, rule }: Refusal): string => (rule ? `${message} (${rule})` : message);

/** Say what became of one act. */
export function inWords(payload: Payload | string[]): Outcome {
  if (Array.isArray(payload)) return { good: false, said: payload };
  if (payload.refusals.length > 0) return { good: false, said: payload.refusals.map(inFull) };
  const done = payload.event?.name === 'PROPOSE' ? 'Proposed: a colleague has to confirm it.' : 'Done.';
  return { good: true, said: [`${done} The operation and its answer stand in the tab beside.`] };
}

/** Say what became of each of many decisions, in their order. */
export function eachInWords(payload: Payload | string[], numbers: string[]): Outcome {
  if (Array.isArray(payload) || payload.refusals.length > 0) return inWords(payload);
  const results = payload.results ?? [];
  const said = results.map(({ refundCase, event, refusals }, at) => {
    const became = refusals.length > 0 ? `not done. ${refusals.map(inFull).join(' ')}` : event?.name === 'PROPOSE' ? 'proposed, a colleague has to confirm it.' : `${refundCase?.state.toLowerCase()}.`;
    return `${numbers[at]}: ${became}`;
  });
  return { good: results.every(({ refusals }) => refusals.length === 0), said };
}
