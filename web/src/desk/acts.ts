/**
 * What staff can do to a case: for each action of the machine that is theirs, the public operation that does it, what it
 * needs to be told, and what it will do in words. Whether it is open is the server's to say (`actions`).
 */
import type {
  ApproveCaseMutationVariables,
  DeclineCaseMutationVariables,
  NoteOnCaseMutationVariables,
  ConfirmDecisionMutationVariables,
  ReopenCaseMutationVariables,
  ReturnDecisionMutationVariables,
  ReverseCreditMutationVariables,
  SupportAsksMutationVariables,
  StatementOnCaseMutationVariables,
  TakeCaseMutationVariables,
} from '../generated/graphql';
import { type Case, money } from './words';

export type Field = { name: string; label: string; kind: 'amount' | 'text' | 'audience' | 'party' | 'days'; required: boolean; help?: string; initial?: string };
export type Values = Record<string, string>;
type Variables =
  | ApproveCaseMutationVariables
  | DeclineCaseMutationVariables
  | TakeCaseMutationVariables
  | NoteOnCaseMutationVariables
  | StatementOnCaseMutationVariables
  | ReverseCreditMutationVariables
  | ConfirmDecisionMutationVariables
  | ReturnDecisionMutationVariables
  | ReopenCaseMutationVariables
  | SupportAsksMutationVariables;
export type Act = {
  action: Case['actions'][number]['name'];
  label: string;
  /** The letter that opens it. */
  letter: string;
  operation: string;
  decides?: 'APPROVE' | 'DECLINE';
  fields: (one: Case) => Field[];
  variables: (one: Case, values: Values, me: string, key: string) => Variables;
  consequence: (one: Case, values: Values) => string;
};

const common = (one: Case, key: string) => ({ refundCaseId: one.id, expectedVersion: one.version, idempotencyKey: key });
const orNothing = (text: string | undefined) => (text?.trim() ? text.trim() : undefined);
const currency = (one: Case) => one.requestedAmount?.currencyCode ?? one.approvedAmount?.currencyCode ?? 'USD';

export const acts: Act[] = [
  {
    action: 'APPROVE',
    label: 'Approve',
    letter: 'a',
    operation: 'ApproveCase',
    decides: 'APPROVE',
    fields: (one) => [
      { name: 'amount', label: `Amount in ${currency(one)}`, kind: 'amount', required: true, initial: one.requestedAmount?.amount, help: `Asked for: ${money(one.requestedAmount)}. Less is a part.` },
      { name: 'note', label: 'A word for the parties', kind: 'text', required: false },
    ],
    variables: (one, { amount, note }, _me, key) => ({
      input: { ...common(one, key), amount: { amount: amount!.trim(), currencyCode: currency(one) }, note: orNothing(note) },
    }),
    consequence: (one, { amount }) => `${one.requester.name} is credited ${amount} ${currency(one)}, at once.`,
  },
  {
    action: 'DECLINE',
    label: 'Decline',
    letter: 'd',
    operation: 'DeclineCase',
    decides: 'DECLINE',
    fields: (one) => [
      { name: 'message', label: `Message to ${one.requester.name}`, kind: 'text', required: true, help: 'They read it as it stands here.' },
      { name: 'internalNote', label: 'Note for staff', kind: 'text', required: false },
    ],
    variables: (one, { message, internalNote }, _me, key) => ({
      input: { ...common(one, key), message: message!.trim(), internalNote: orNothing(internalNote) },
    }),
    consequence: (one) => `No money moves, and ${one.requester.name} is told why.`,
  },
  {
    action: 'SEND_MESSAGE',
    label: 'Write',
    letter: 'm',
    operation: 'NoteOnCase',
    fields: () => [
      { name: 'audience', label: 'Who reads it', kind: 'audience', required: true, initial: 'INTERNAL' },
      { name: 'body', label: 'Message', kind: 'text', required: true },
    ],
    variables: (one, { audience, body }, _me, key) => ({
      input: { refundCaseId: one.id, body: body!.trim(), audience: audience as NoteOnCaseMutationVariables['input']['audience'], idempotencyKey: key },
    }),
    consequence: (_one, { audience }) => (audience === 'INTERNAL' ? 'Only staff read it.' : 'It is sent at once and cannot be taken back.'),
  },
  {
    action: 'REQUEST_INFORMATION',
    label: 'Ask',
    letter: 'i',
    operation: 'SupportAsks',
    fields: (one) => [
      ...(one.counterparty ? [{ name: 'from', label: 'Whom', kind: 'party' as const, required: true, initial: 'REQUESTER' }] : []),
      { name: 'question', label: 'Question', kind: 'text', required: true },
      { name: 'days', label: 'Days to answer', kind: 'days', required: true, initial: '3', help: '1 to 14. Our own time stands still meanwhile.' },
    ],
    variables: (one, { from, question, days }, _me, key) => ({
      input: { ...common(one, key), from: (from ?? 'REQUESTER') as SupportAsksMutationVariables['input']['from'], question: question!.trim(), days: Number(days) },
    }),
    consequence: (one, { from, days }) => `It is ${(from === 'COUNTERPARTY' ? one.counterparty : one.requester)?.name}’s move for ${days} days, then ours again.`,
  },
  {
    action: 'ADD_EVIDENCE',
    label: 'Add a statement',
    letter: 'e',
    operation: 'StatementOnCase',
    fields: () => [{ name: 'text', label: 'Statement', kind: 'text', required: true }],
    variables: (one, { text }, _me, key) => ({ input: { refundCaseId: one.id, text: text!.trim(), idempotencyKey: key } }),
    consequence: () => 'It becomes part of the evidence, with its hash.',
  },
  {
    action: 'ASSIGN',
    label: 'Take it',
    letter: 't',
    operation: 'TakeCase',
    fields: () => [],
    variables: (one, _values, me, key) => ({ input: { ...common(one, key), assigneeId: me } }),
    consequence: (one) => (one.assignee ? `It is ${one.assignee.name}’s now, and will be yours.` : 'It will be yours.'),
  },
  {
    action: 'CONFIRM',
    label: 'Confirm',
    letter: 'c',
    operation: 'ConfirmDecision',
    fields: () => [{ name: 'note', label: 'A word for the parties', kind: 'text', required: false }],
    variables: (one, { note }, _me, key) => ({ input: { ...common(one, key), note: orNothing(note) } }),
    consequence: (one) => `What ${one.proposal?.proposedBy.name} proposed is done at once.`,
  },
  {
    action: 'RETURN',
    label: 'Return',
    letter: 'b',
    operation: 'ReturnDecision',
    fields: () => [{ name: 'reason', label: 'Reason', kind: 'text', required: true }],
    variables: (one, { reason }, _me, key) => ({ input: { ...common(one, key), reason: reason!.trim() } }),
    consequence: (one) => `${one.proposal?.proposedBy.name}’s proposal is gone, and the case waits for a decision again.`,
  },
  {
    action: 'REOPEN',
    label: 'Reopen',
    letter: 'o',
    operation: 'ReopenCase',
    fields: () => [{ name: 'reason', label: 'Reason, for both sides', kind: 'text', required: true }],
    variables: (one, { reason }, _me, key) => ({ input: { ...common(one, key), reason: reason!.trim() } }),
    consequence: () => 'The case is support’s to decide again, once; the earlier decision stays in its history.',
  },
  {
    action: 'REVERSE',
    label: 'Take the credit back',
    letter: 'r',
    operation: 'ReverseCredit',
    fields: () => [{ name: 'reason', label: 'Reason', kind: 'text', required: true }],
    variables: (one, { reason }, _me, key) => ({ input: { ...common(one, key), reason: reason!.trim() } }),
    consequence: (one) => `${money(one.creditedAmount)} go back with a posting of their own; the case stays credited.`,
  },
];
