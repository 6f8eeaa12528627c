/**
 * The ready-made operations: every document of `fixtures/operations`, for the roles it is for, each with variables that
 * run as they are. What they name (a case that can be approved, a lead that can be reported) is asked for when they open.
 */
import { Kind, type OperationDefinitionNode, parse, print } from 'graphql';
import { post } from './http';
import { freshKey } from './keys';
import { again } from './patience';
import type { Person } from './session';
import { findThings, type Things } from './things';

const DAY_MS = 86_400_000;
const files = import.meta.glob<string>('../../fixtures/operations/*.graphql', { query: '?raw', import: 'default', eager: true });

type Role = 'SUPPORT' | 'ADMIN' | 'PRO' | 'CLIENT' | 'EXPERT' | 'SERVICE' | 'EVERYBODY';
/** No variables where there is nothing that it could be about now. */
type Entry = { about: string; roles: Role[]; variables?: (things: Things) => object | null };
export type ReadyOperation = { name: string; about: string; query: string; roles: Role[] };

const STAFF: Role[] = ['SUPPORT', 'ADMIN'];
const page = () => ({ first: 20 });
const key = () => ({ idempotencyKey: freshKey() });
const lastThirtyDays = () => {
  const now = Date.now();
  return { from: new Date(now - 30 * DAY_MS).toISOString(), until: new Date(now).toISOString() };
};

/** In the order of a day: the first ones of a role open as its tabs. */
const ENTRIES: Record<string, Entry> = {
  SupportQueue: { about: 'What waits for support, overdue first.', roles: STAFF, variables: page },
  CaseByNumber: { about: 'Everything about one case, by its number.', roles: STAFF, variables: (t) => ({ number: t.someCase }) },
  TakeCase: {
    about: 'Take a case, as it stands: if somebody was faster, you are told.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.toTake.number, assigneeId: t.me, expectedVersion: t.toTake.version, ...key() } }),
  },
  ApproveCase: {
    about: 'Approve a case, by number or id; leave the amount out to give all of it.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.toApprove.number, expectedVersion: t.toApprove.version, ...key() } }),
  },
  DeclineCase: {
    about: 'Decline a case: the message goes to the requester, the internal note to staff only.',
    roles: STAFF,
    variables: (t) => ({
      input: {
        refundCaseId: t.toDecline.number,
        message: 'We have read the chat and see no reason of our rules. You may ask for a second look.',
        internalNote: 'Template; say more for a real case.',
        expectedVersion: t.toDecline.version,
        ...key(),
      },
    }),
  },
  DecideMany: {
    about: 'Decide many cases at once, each by itself.',
    roles: STAFF,
    variables: (t) => ({ input: { decisions: t.toDecideAtOnce.map((one) => ({ refundCaseId: one.number, decision: 'APPROVE', expectedVersion: one.version })), ...key() } }),
  },
  NoteOnCase: {
    about: 'Write on a case: to staff only, to one side, or to everyone.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.someCase, body: 'Asked the customer by phone; no answer yet.', audience: 'INTERNAL', ...key() } }),
  },
  SupportAsks: {
    about: 'Ask a party a question: the move is theirs until they answer, and the target stands still.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.toAsk.number, from: 'REQUESTER', question: 'Which day did you go there?', days: 3, expectedVersion: t.toAsk.version, ...key() } }),
  },
  LookAtDecision: {
    about: 'What a decision would do, before it is made.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.toApprove.number, decision: 'APPROVE' } }),
  },
  ProposedDecisions: { about: 'Decisions that wait for a second signature.', roles: STAFF },
  ConfirmDecision: {
    about: 'Confirm what a colleague has proposed.',
    roles: STAFF,
    variables: (t) => t.toConfirm && { input: { refundCaseId: t.toConfirm.number, expectedVersion: t.toConfirm.version, ...key() } },
  },
  ReturnDecision: {
    about: 'Return what a colleague has proposed, with a reason.',
    roles: STAFF,
    variables: (t) => t.toReturn && { input: { refundCaseId: t.toReturn.number, reason: 'The invoice was paid in part.', expectedVersion: t.toReturn.version, ...key() } },
  },
  ReopenCase: {
    about: 'Reopen a final decline, once, with a reason.',
    roles: ['ADMIN'],
    variables: (t) => t.toReopen && { input: { refundCaseId: t.toReopen.number, reason: 'A new document came to light.', expectedVersion: t.toReopen.version, ...key() } },
  },
  StatementOnCase: {
    about: 'Add a statement to the evidence.',
    roles: STAFF,
    variables: (t) => ({ input: { refundCaseId: t.someCase, text: 'The lead’s form says Leeds; the chat says otherwise.', ...key() } }),
  },
  FindPeople: { about: 'Who is meant by a name or a reference.', roles: STAFF, variables: (t) => ({ text: t.someone.name }) },
  Person: { about: 'What stands behind somebody: cases, contracts, leads and money.', roles: STAFF, variables: (t) => ({ refs: [t.someone.externalRef] }) },
  Staff: { about: 'Who a case can be given to.', roles: STAFF },
  UnreadOfMine: { about: 'What is new on the cases that you have taken.', roles: STAFF, variables: (t) => ({ me: t.me, first: 20 }) },
  MarkRead: { about: 'Mark a case as read, for yourself.', roles: STAFF, variables: (t) => ({ input: { refundCaseId: t.someCase } }) },
  Metrics: { about: 'How the desk did, the last thirty days.', roles: STAFF, variables: lastThirtyDays },
  FollowQueue: { about: 'The queue, live.', roles: STAFF },
  Simulate: { about: 'What if leads could be reported for 20 days only?', roles: STAFF, variables: () => ({ overrides: { leadWindowDays: 20 } }) },
  ReverseCredit: {
    about: 'Take a credit back with a posting of its own.',
    roles: ['ADMIN'],
    variables: (t) => ({ input: { refundCaseId: t.toReverse.number, reason: 'Credited to the wrong person.', expectedVersion: t.toReverse.version, ...key() } }),
  },
  RedactEvidence: {
    about: 'Take evidence away from everybody, for good; its hash stays.',
    roles: ['ADMIN'],
    variables: (t) => t.toRedact === null ? null : { input: { evidenceId: t.toRedact, reason: 'It names somebody who has nothing to do with the case.', ...key() } },
  },
  // Not to be undone: no tab has it ready, and whoever opens it says whom.
  EraseAccount: { about: 'Forget a person: name and reference go, amounts, states and the ledger stay.', roles: ['ADMIN'], variables: () => null },
  WebhookLog: { about: 'What became of the webhooks of an endpoint.', roles: ['ADMIN'], variables: (t) => ({ endpoint: t.endpoint }) },
  MyLeads: { about: 'My leads, and which of them I can report.', roles: ['PRO'], variables: page },
  Conversations: { about: 'My chats with customers.', roles: ['PRO'], variables: page },
  ReportLead: {
    about: 'Report a lead and ask for its price back.',
    roles: ['PRO'],
    variables: (t) => ({ input: { leadId: t.leadToReport, reason: 'JOB_CHANGED', reasonDetail: 'DIFFERENT_LOCATION', explanation: 'The job is in another town.', ...key() } }),
  },
  MyContracts: { about: 'My contracts, invoices and milestones, and what can be asked back.', roles: ['CLIENT', 'EXPERT'], variables: () => ({ first: 10 }) },
  AskForRefund: {
    about: 'Ask for money of an invoice back.',
    roles: ['CLIENT'],
    variables: (t) => ({ input: { invoiceId: t.invoiceToAsk.id, amount: t.invoiceToAsk.amount, explanation: 'Charged twice.', ...key() } }),
  },
  PreviewRefund: { about: 'What asking would do, before asking.', roles: ['PRO', 'CLIENT'], variables: (t) => ({ input: t.preview }) },
  ExpertApproves: { about: 'Give back what a client asks for, or a part.', roles: ['EXPERT'], variables: (t) => ({ input: { refundCaseId: t.toApprove.number, ...key() } }) },
  ExpertDeclines: {
    about: 'Decline what a client asks for, and say why.',
    roles: ['EXPERT'],
    variables: (t) => ({ input: { refundCaseId: t.toDecline.number, message: 'It was delivered on the day we had agreed on.', ...key() } }),
  },
  WithdrawEvidence: {
    about: 'Take back evidence of mine, until a decision was made with it.',
    roles: ['PRO', 'CLIENT', 'EXPERT'],
    variables: (t) => t.toWithdraw === null ? null : { input: { evidenceId: t.toWithdraw, ...key() } },
  },
  RequestForm: { about: 'What a form for asking needs: reasons, details, limits of files.', roles: ['PRO', 'CLIENT'], variables: () => ({ kind: 'LEAD' }) },
  PhoneCase: { about: 'One case, as a phone shows it.', roles: ['PRO', 'CLIENT', 'EXPERT'], variables: (t) => ({ id: t.someCase }) },
  SendFile: {
    about: 'Announce a file as evidence; the answer says where to send it.',
    roles: ['PRO', 'CLIENT', 'EXPERT'],
    variables: (t) => ({ input: { refundCaseId: t.openCase, fileName: 'chat.png', contentType: 'image/png', sizeBytes: 2048, sha256: '0'.repeat(64), ...key() } }),
  },
  FollowCase: { about: 'One case, live: as it is now, then every change.', roles: [...STAFF, 'PRO', 'CLIENT', 'EXPERT'], variables: (t) => ({ id: t.someCase }) },
  BalanceAndHistory: { about: 'My balance, and every posting that touched it.', roles: ['PRO', 'CLIENT', 'EXPERT'], variables: page },
  FollowMine: { about: 'My cases, live.', roles: ['PRO', 'CLIENT', 'EXPERT'] },
  Payouts: { about: 'My payouts, and how far they have come.', roles: ['PRO', 'CLIENT', 'EXPERT'], variables: page },
  FollowPayouts: { about: 'My payouts, live.', roles: ['PRO', 'CLIENT', 'EXPERT'] },
  Sync: { about: 'Feed records in.', roles: ['SERVICE'], variables: () => ({ input: { records: [] } }) },
  PolicyAndWorkflow: { about: 'The rules in force, and what can become of a case.', roles: ['EVERYBODY'], variables: () => ({ kind: 'LEAD' }) },
};

const documents = new Map(
  Object.values(files).flatMap((text) =>
    parse(text)
      .definitions.filter((one): one is OperationDefinitionNode => one.kind === Kind.OPERATION_DEFINITION)
      .map((operation) => [operation.name!.value, compact(print(operation))] as const),
  ),
);

export const readyOperations: ReadyOperation[] = Object.entries(ENTRIES).map(([name, { about, roles }]) => ({
  name,
  about,
  roles,
  query: `# ${about}\n${documents.get(name)}\n`,
}));

/** Return an operation of `fixtures/operations` by its name, as it is written into a tab. */
export const documentOf = (name: string): string => readyOperations.find((one) => one.name === name)?.query ?? `${documents.get(name)}\n`;

/** Return a person's own operations, the daily ones first. */
export function operationsFor(person: Person | null): ReadyOperation[] {
  const held = new Set<string>([...(person?.roles ?? []), 'EVERYBODY']);
  return readyOperations.filter(({ roles }) => roles.some((role) => held.has(role)));
}

/** Return the variables that an operation opens with; null where there is nothing that it could be about now. */
export async function variablesOf(name: string, person: Person | null, token: string | null): Promise<string | null> {
  const make = ENTRIES[name]?.variables;
  if (!make) return '{}';
  const things = await findThings(person, async (query) => {
    const answer = await again(() => post({ query }, token === null ? {} : { authorization: `Bearer ${token}` }));
    return answer.data as never;
  });
  const made = make(things);
  return made && asText(made);
}

export const asText = (variables: object): string => JSON.stringify(variables, null, 2);

/** Put selections of a few plain fields onto one line, as people write them. */
function compact(text: string): string {
  return text.replace(/\{\n((?:\s+\w+\n){1,3})\s*\}/g, (_, inner: string) => `{ ${inner.trim().split(/\s+/).join(' ')} }`);
}
