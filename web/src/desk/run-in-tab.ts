/** Write an operation into its tab, run it there, and hand back what it was answered. */
import { useGraphiQLActions } from '@graphiql/react';
import { type Answered, answerTo } from '../answers';
import { freshKey } from '../keys';
import { useOpenOperation } from '../open-operation';
import { asText, documentOf } from '../ready';

export type Refusal = { message: string; rule?: string | null };
export type Payload = { event?: { name: string } | null; refusals: Refusal[]; results?: (Payload & { refundCase?: { state: string } | null })[] };
export type Outcome = { good: boolean; said: string[] };
type Given = { input: { idempotencyKey: string } };

/** GraphiQL has ended its run without asking: what somebody wrote under Headers is no JSON. */
const NOT_SENT: Answered = { answer: { errors: [{ message: 'The operation did not reach the server; its tab says why.' }] }, came: true, variables: {} };

/** What was sent and never answered: the same press again is the same act, should the first have been done after all. */
let unanswered: { words: string; given: Given } | null = null;

/** Return what runs an act in its tab: the payload of its mutation, or in words why there is none. */
export function useRunInTab(): (operation: string, make: (key: string) => object) => Promise<Payload | string[]> {
  const { run } = useGraphiQLActions();
  const openOperation = useOpenOperation();
  return async (operation, make) => {
    const words = JSON.stringify([operation, make('')]);
    const given = unanswered?.words === words ? unanswered.given : (make(freshKey()) as Given);
    await openOperation(operation, documentOf(operation), asText(given));
    const { answer, came } = await Promise.race([answerTo(given.input.idempotencyKey), Promise.resolve(run()).then(() => NOT_SENT)]);
    unanswered = came ? null : { words, given };
    const payload = Object.values((answer.data ?? {}) as Record<string, Payload | null>)[0];
    if (payload) return payload;
    const faults = (answer.errors ?? []).map(({ message }) => message);
    return came ? faults : [...faults, 'Nobody knows whether it was done: do it again, and it is done once.'];
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
