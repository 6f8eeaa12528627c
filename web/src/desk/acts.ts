/**
 * What staff can do to a case: for each action of the machine that is theirs, the public operation that does it, what it
 * needs to be told, and what it will do in words. Whether it is open is the server's to say (`actions`).
 */
import type {
  ApproveCaseMutationVariables,
  ConfirmDecisionMutationVariables,
  DeclineCaseMutationVariables,
  NoteOnCaseMutationVariables,
  RedactEvidenceMutationVariables,
  ReopenCaseMutationVariables,
  ReturnDecisionMutationVariables,
  ReverseCreditMutationVariables,
  StatementOnCaseMutationVariables,
  SupportAsksMutationVariables,
  TakeCaseMutationVariables,
} from '../generated/graphql';
import { AUDIENCES, type Case, type Colleague, dateTime, evidenceKind, type Item, money, plain } from './words';

export type Choice = [value: string, label: string];
export type Field = { name: string; label: string; kind: 'amount' | 'text' | 'choice' | 'days'; required: boolean; help?: string; initial?: string; choices?: Choice[] };
export type Values = Record<string, string>;
/** Who is at the desk, and whom a case can be given to. */
export type Staff = { me: string; isAdmin: boolean; colleagues: Colleague[] };
type Variables =
  | ApproveCaseMutationVariables
  | ConfirmDecisionMutationVariables
  | DeclineCaseMutationVariables
  | NoteOnCaseMutationVariables
  | RedactEvidenceMutationVariables
  | ReopenCaseMutationVariables
  | ReturnDecisionMutationVariables
  | ReverseCreditMutationVariables
  | StatementOnCaseMutationVariables
  | SupportAsksMutationVariables
  | TakeCaseMutationVariables;
type Availability = Pick<Case['actions'][number], 'enabled' | 'blockers'>;
export type Act = {
  label: string;
  /** The letter that opens it. */
  letter: string;
  operation: string;
  decides?: 'APPROVE' | 'DECLINE';
  /** Null where it is not to be seen at all. */
  availability: (one: Case, staff: Staff) => Availability | null;
  fields: (one: Case, staff: Staff) => Field[];
  variables: (one: Case, values: Values, staff: Staff, key: string) => Variables;
  consequence: (one: Case, values: Values, staff: Staff) => string;
};

const by = (name: Case['actions'][number]['name']) => (one: Case) => one.actions.find((action) => action.name === name) ?? null;
/** A decision is open where it can be made, or, above a limit, proposed. */
const decided = (name: 'APPROVE' | 'DECLINE') => (one: Case) => {
  const itself = by(name)(one);
  return itself && !itself.enabled && limit(itself) && by('PROPOSE')(one)?.enabled ? { enabled: true, blockers: [] } : itself;
};
const limit = ({ blockers }: Availability) => blockers.find(({ code }) => code === 'LIMIT_EXCEEDED');
/** Tell whether a colleague has to confirm a decision about this much. */
const isProposed = (one: Case, name: 'APPROVE' | 'DECLINE', amount: string | undefined) => {
  const itself = by(name)(one);
  const most = itself && limit(itself);
  return most != null && 'maximum' in most && Number(amount) > Number(most.maximum.amount);
};
/** What was looked at, and the key of this press; last, for people read what is decided first. */
const once = (one: Case, key: string) => ({ expectedVersion: one.version, idempotencyKey: key });
const orNothing = (text: string | undefined) => (text?.trim() ? text.trim() : undefined);
const currency = (one: Case) => one.requestedAmount?.currencyCode ?? one.approvedAmount?.currencyCode ?? 'USD';
const reason = (label: string): Field[] => [{ name: 'reason', label, kind: 'text', required: true }];
const NOBODY = '';
const readers: Choice[] = Object.entries(AUDIENCES).map(([value, { reads }]) => [value, reads]);
const readable = (item: Item) => item.redactedAt === null;

export const acts: Act[] = [
  {
    label: 'Approve',
    letter: 'a',
    operation: 'ApproveCase',
    decides: 'APPROVE',
    availability: decided('APPROVE'),
    fields: (one) => [
      { name: 'amount', label: `Amount in ${currency(one)}`, kind: 'amount', required: true, initial: one.requestedAmount?.amount, help: `Asked for: ${money(one.requestedAmount)}. Less is a part.` },
      ...(one.kind === 'ESCROW' ? [rest] : []),
      { name: 'note', label: 'A word for the parties', kind: 'text', required: false },
    ],
    variables: (one, { amount, rest, note }, _staff, key) => ({
      input: {
        refundCaseId: one.id,
        amount: { amount: amount!.trim(), currencyCode: currency(one) },
        rest: rest as ApproveCaseMutationVariables['input']['rest'],
        note: orNothing(note),
        ...once(one, key),
      },
    }),
    consequence: (one, { amount, rest }) => {
      const given = `${amount} ${currency(one)}`;
      if (isProposed(one, 'APPROVE', amount)) return `It is proposed to give ${one.requester.name} ${given}; nothing moves until a colleague confirms it.`;
      return `${one.requester.name} is credited ${given}, at once.${rest === 'RELEASE' ? ` What is left in escrow goes to ${one.counterparty?.name}.` : ''}`;
    },
  },
  {
    label: 'Decline',
    letter: 'd',
    operation: 'DeclineCase',
    decides: 'DECLINE',
    availability: decided('DECLINE'),
    fields: (one) => [
      { name: 'message', label: `Message to ${one.requester.name}`, kind: 'text', required: true, help: 'They read it as it stands here.' },
      { name: 'internalNote', label: 'Note for staff', kind: 'text', required: false },
    ],
    variables: (one, { message, internalNote }, _staff, key) => ({
      input: { refundCaseId: one.id, message: message!.trim(), internalNote: orNothing(internalNote), ...once(one, key) },
    }),
    consequence: (one) =>
      isProposed(one, 'DECLINE', one.requestedAmount?.amount) ? 'It is proposed; nobody is told until a colleague confirms it.' : `No money moves, and ${one.requester.name} is told why.`,
  },
  {
    label: 'Write',
    letter: 'm',
    operation: 'NoteOnCase',
    availability: by('SEND_MESSAGE'),
    fields: () => [
      { name: 'audience', label: 'Who reads it', kind: 'choice', choices: readers, required: true, initial: 'INTERNAL' },
      { name: 'body', label: 'Message', kind: 'text', required: true },
    ],
    variables: (one, { audience, body }, _staff, key) => ({
      input: { refundCaseId: one.id, body: body!.trim(), audience: audience as NoteOnCaseMutationVariables['input']['audience'], idempotencyKey: key },
    }),
    consequence: (_one, { audience }) => (audience === 'INTERNAL' ? 'Only staff read it.' : 'It is sent at once and cannot be taken back.'),
  },
  {
    label: 'Ask',
    letter: 'i',
    operation: 'SupportAsks',
    availability: by('REQUEST_INFORMATION'),
    fields: (one) => [
      ...(one.counterparty ? [whom(one.requester.name, one.counterparty.name)] : []),
      { name: 'question', label: 'Question', kind: 'text', required: true },
      { name: 'days', label: 'Days to answer', kind: 'days', required: true, initial: '3', help: '1 to 14. Our own time stands still meanwhile.' },
    ],
    variables: (one, { from, question, days }, _staff, key) => ({
      input: { refundCaseId: one.id, from: (from ?? 'REQUESTER') as SupportAsksMutationVariables['input']['from'], question: question!.trim(), days: Number(days), ...once(one, key) },
    }),
    consequence: (one, { from, days }) => `It is ${(from === 'COUNTERPARTY' ? one.counterparty : one.requester)?.name}’s move for ${days} days, then ours again.`,
  },
  {
    label: 'Add a statement',
    letter: 'e',
    operation: 'StatementOnCase',
    availability: by('ADD_EVIDENCE'),
    fields: () => [
      { name: 'text', label: 'Statement', kind: 'text', required: true },
      { name: 'audience', label: 'Who reads it', kind: 'choice', choices: readers, required: true, initial: 'EVERYONE' },
    ],
    variables: (one, { text, audience }, _staff, key) => ({
      input: { refundCaseId: one.id, text: text!.trim(), audience: audience as StatementOnCaseMutationVariables['input']['audience'], idempotencyKey: key },
    }),
    consequence: () => 'It becomes part of the evidence, with its hash.',
  },
  {
    label: 'Take it',
    letter: 't',
    operation: 'TakeCase',
    availability: (one, { me }) => (one.assignee?.id === me ? null : by('ASSIGN')(one)),
    fields: () => [],
    variables: (one, _values, { me }, key) => ({ input: { refundCaseId: one.id, assigneeId: me, ...once(one, key) } }),
    consequence: (one) => (one.assignee ? `It is ${one.assignee.name}’s now, and will be yours.` : 'It will be yours.'),
  },
  {
    label: 'Give it to …',
    letter: 'g',
    operation: 'TakeCase',
    availability: by('ASSIGN'),
    fields: (one, { colleagues }) => [
      {
        name: 'assigneeId',
        label: 'Who takes care of it',
        kind: 'choice',
        required: false,
        initial: one.assignee?.id ?? NOBODY,
        choices: [[NOBODY, 'Nobody'], ...colleagues.map(({ id, name }): Choice => [id, name])],
      },
    ],
    variables: (one, { assigneeId }, _staff, key) => ({ input: { refundCaseId: one.id, assigneeId: assigneeId || null, ...once(one, key) } }),
    consequence: (one, { assigneeId }, { colleagues }) => {
      const next = colleagues.find(({ id }) => id === assigneeId)?.name;
      return `${one.assignee ? `It is ${one.assignee.name}’s now, and` : 'It'} will be ${next ? `${next}’s` : 'nobody’s'}.`;
    },
  },
  {
    label: 'Confirm',
    letter: 'c',
    operation: 'ConfirmDecision',
    availability: (one) => one.proposal && by('CONFIRM')(one),
    fields: () => [{ name: 'note', label: 'A word for the parties', kind: 'text', required: false }],
    variables: (one, { note }, _staff, key) => ({ input: { refundCaseId: one.id, note: orNothing(note), ...once(one, key) } }),
    consequence: ({ proposal }) => proposal && `What ${proposal.proposedBy.name} proposed is done at once: ${plain(proposal.decision)}${proposal.amount ? ` ${money(proposal.amount)}` : ''}.` || '',
  },
  {
    label: 'Return',
    letter: 'b',
    operation: 'ReturnDecision',
    availability: (one) => one.proposal && by('RETURN')(one),
    fields: () => reason('Reason'),
    variables: (one, { reason }, _staff, key) => ({ input: { refundCaseId: one.id, reason: reason!.trim(), ...once(one, key) } }),
    consequence: (one) => `${one.proposal?.proposedBy.name}’s proposal is gone, and the case waits for a decision again.`,
  },
  {
    label: 'Reopen',
    letter: 'o',
    operation: 'ReopenCase',
    availability: by('REOPEN'),
    fields: () => reason('Reason, for both sides'),
    variables: (one, { reason }, _staff, key) => ({ input: { refundCaseId: one.id, reason: reason!.trim(), ...once(one, key) } }),
    consequence: () => 'The case is support’s to decide again, once; the earlier decision stays in its history.',
  },
  {
    label: 'Take the credit back',
    letter: 'r',
    operation: 'ReverseCredit',
    availability: by('REVERSE'),
    fields: () => reason('Reason'),
    variables: (one, { reason }, _staff, key) => ({ input: { refundCaseId: one.id, reason: reason!.trim(), ...once(one, key) } }),
    consequence: (one) => `${money(one.creditedAmount)} go back with a posting of their own; the case stays credited.`,
  },
  {
    label: 'Redact evidence',
    letter: 'z',
    operation: 'RedactEvidence',
    // No action of the machine: an administrator may, whatever the case's state.
    availability: (one, { isAdmin }) => (isAdmin && one.evidence.some(readable) ? { enabled: true, blockers: [] } : null),
    fields: (one) => [
      {
        name: 'evidenceId',
        label: 'Which',
        kind: 'choice',
        required: true,
        initial: one.evidence.find(readable)?.id,
        choices: one.evidence.filter(readable).map((item): Choice => [item.id, `${evidenceKind(item)} of ${item.addedBy.name}, ${dateTime(item.addedAt)}`]),
      },
      ...reason('Reason, for the record'),
    ],
    variables: (_one, { evidenceId, reason }, _staff, key) => ({ input: { evidenceId: evidenceId!, reason: reason!.trim(), idempotencyKey: key } }),
    consequence: () => 'Its content is gone for everybody, for good; its hash, who and when stay.',
  },
];

const rest: Field = {
  name: 'rest',
  label: 'What is left in escrow',
  kind: 'choice',
  required: true,
  initial: 'HOLD',
  choices: [
    ['HOLD', 'Stays there'],
    ['RELEASE', 'Is released to the expert'],
  ],
};

const whom = (requester: string, counterparty: string): Field => ({
  name: 'from',
  label: 'Whom',
  kind: 'choice',
  required: true,
  initial: 'REQUESTER',
  choices: [
    ['REQUESTER', requester],
    ['COUNTERPARTY', counterparty],
  ],
});
