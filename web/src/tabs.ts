/**
 * The ready-made operations: support's daily ones open as tabs, the other people's wait in the side panel.
 *
 * Variables that must be fresh (dates, idempotency keys) are made when an operation is opened.
 */
import { Kind, type OperationDefinitionNode, parse, print } from 'graphql';
import askForRefund from '../../fixtures/operations/spa-ask-for-refund.graphql?raw';
import balance from '../../fixtures/operations/spa-balance.graphql?raw';
import conversations from '../../fixtures/operations/spa-conversations.graphql?raw';
import expertDecides from '../../fixtures/operations/spa-expert-decides.graphql?raw';
import followMine from '../../fixtures/operations/spa-follow-mine.graphql?raw';
import myContracts from '../../fixtures/operations/spa-my-contracts.graphql?raw';
import myLeads from '../../fixtures/operations/spa-my-leads.graphql?raw';
import policy from '../../fixtures/operations/anyone-policy.graphql?raw';
import previewRefund from '../../fixtures/operations/spa-preview.graphql?raw';
import reportLead from '../../fixtures/operations/spa-report-lead.graphql?raw';
import approveRefund from './tabs/ApproveRefund.graphql?raw';
import caseByNumber from './tabs/CaseByNumber.graphql?raw';
import declineRefund from './tabs/DeclineRefund.graphql?raw';
import escalationsDue from './tabs/EscalationsDue.graphql?raw';
import metrics from './tabs/Metrics.graphql?raw';
import queue from './tabs/Queue.graphql?raw';
import watchCase from './tabs/WatchCase.graphql?raw';
import watchQueue from './tabs/WatchQueue.graphql?raw';

const DAY_MS = 86_400_000;

export type ReadyOperation = { name: string; about: string; query: string; variables: () => object };
export type ReadyGroup = { title: string; roles: string[]; operations: ReadyOperation[] };

const nothing = () => ({});
const page = () => ({ first: 20 });
const decision = (rest: object) => () => ({
  input: { refundCaseId: '', ...rest, expectedVersion: null, idempotencyKey: freshKey() },
});
const lastThirtyDays = () => {
  const now = Date.now();
  return { from: new Date(now - 30 * DAY_MS).toISOString(), until: new Date(now).toISOString() };
};
const lead = () => ({ input: { leadId: '', reason: 'JOB_CHANGED', reasonDetail: 'DIFFERENT_LOCATION', idempotencyKey: freshKey() } });
const invoice = () => ({
  input: { invoiceId: '', amount: { amount: '', currencyCode: 'EUR' }, explanation: '', idempotencyKey: freshKey() },
});

export const readyGroups: ReadyGroup[] = [
  {
    title: 'Support',
    roles: ['SUPPORT', 'ADMIN'],
    operations: [
      asWritten(queue, page),
      asWritten(caseByNumber, () => ({ number: '' })),
      asWritten(approveRefund, decision({ note: '' })),
      asWritten(declineRefund, decision({ message: '' })),
      asWritten(escalationsDue, page),
      asWritten(metrics, lastThirtyDays),
      asWritten(watchCase, () => ({ refundCaseId: '' })),
      asWritten(watchQueue, nothing),
    ],
  },
  {
    title: 'Professionals',
    roles: ['PRO'],
    operations: [...laidOut(myLeads, page), ...laidOut(reportLead, lead), ...laidOut(conversations, page)],
  },
  {
    title: 'Clients',
    roles: ['CLIENT'],
    operations: [...laidOut(myContracts, () => ({ first: 10 })), ...laidOut(askForRefund, invoice)],
  },
  { title: 'Experts', roles: ['EXPERT'], operations: laidOut(expertDecides, decision({})) },
  {
    title: 'Everybody',
    roles: [],
    operations: [
      ...laidOut(balance, page),
      ...laidOut(followMine, nothing),
      ...laidOut(previewRefund, () => ({ input: { leadId: '', reason: 'JOB_CHANGED' } })),
      ...laidOut(policy, () => ({ kind: 'LEAD' })),
    ],
  },
];

/** Support's operations as GraphiQL's first tabs. */
export function readyTabs(): { query: string; variables: string }[] {
  return readyGroups[0]!.operations.map(({ query, variables }) => ({ query, variables: asText(variables()) }));
}

export const asText = (variables: object): string => JSON.stringify(variables, null, 2);

/** Make a key that no other attempt has: 128 random bits, also where the page is not on https or localhost. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** One of our own files: one operation, written to be read in the editor. */
function asWritten(text: string, variables: () => object): ReadyOperation {
  return { name: operations(text)[0]!.name!.value, about: about(text), query: text, variables };
}

/** A file of another client: each operation by itself, laid out anew because those files are written dense. */
function laidOut(text: string, variables: () => object): ReadyOperation[] {
  return operations(text).map((operation) => ({
    name: operation.name!.value,
    about: about(text),
    query: `# ${about(text)}\n${print(operation)}\n`,
    variables,
  }));
}

function operations(text: string): OperationDefinitionNode[] {
  return parse(text).definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
}

/** The first sentence of the comment above the first operation. */
function about(text: string): string {
  const comment = /^(?:#.*\n)+/.exec(text)?.[0] ?? '';
  return comment.replace(/^# ?/gm, '').replace(/\s+/g, ' ').trim().split(/(?<=\.) /)[0]!;
}
