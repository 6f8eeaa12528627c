/**
 * The ready-made tabs: support's daily operations, one `.graphql` file each, in the order of a working day.
 *
 * Variables that must be fresh (dates, idempotency keys) are made when the page opens.
 */
import approveRefund from './tabs/ApproveRefund.graphql?raw';
import caseByNumber from './tabs/CaseByNumber.graphql?raw';
import declineRefund from './tabs/DeclineRefund.graphql?raw';
import escalationsDue from './tabs/EscalationsDue.graphql?raw';
import metrics from './tabs/Metrics.graphql?raw';
import queue from './tabs/Queue.graphql?raw';
import watchCase from './tabs/WatchCase.graphql?raw';
import watchQueue from './tabs/WatchQueue.graphql?raw';

const DAY_MS = 86_400_000;

export type ReadyTab = { query: string; variables: string };

export function readyTabs(now: Date = new Date()): ReadyTab[] {
  const tab = (query: string, variables: object): ReadyTab => ({ query, variables: JSON.stringify(variables, null, 2) });
  return [
    tab(queue, { first: 20 }),
    tab(caseByNumber, { number: '' }),
    tab(approveRefund, { input: { refundCaseId: '', note: '', expectedVersion: null, idempotencyKey: freshKey() } }),
    tab(declineRefund, { input: { refundCaseId: '', message: '', expectedVersion: null, idempotencyKey: freshKey() } }),
    tab(escalationsDue, { first: 20 }),
    tab(metrics, { from: new Date(now.getTime() - 30 * DAY_MS).toISOString(), until: now.toISOString() }),
    tab(watchCase, { refundCaseId: '' }),
    tab(watchQueue, {}),
  ];
}

/** Make a key that no other attempt has: 128 random bits, also where the page is not on https or localhost. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
