/** How the desk says things: money, time left, events, and what a case is about. */
import type { DeskCaseQuery, DeskQueueQuery, StaffQuery } from '../generated/graphql';

export type Row = DeskQueueQuery['supportQueue']['edges'][number]['node'];
export type Case = NonNullable<DeskCaseQuery['refundCase']>;
export type CaseEvent = Case['events']['edges'][number]['node'];
export type Item = Case['evidence'][number];
export type Colleague = StaffQuery['staff']['edges'][number]['node'];
type Money = { amount: string; currencyCode: string };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const money = (value: Money | null | undefined): string => (value ? `${value.amount} ${value.currencyCode}` : '–');

/** “in 5 h”, “3 d late”: rounded down, for nobody is helped by more. */
export function timeLeft(until: string, now: number): string {
  const left = Date.parse(until) - now;
  const size = Math.abs(left);
  const said = size < HOUR_MS ? `${Math.floor(size / MINUTE_MS)} min` : size < 2 * DAY_MS ? `${Math.floor(size / HOUR_MS)} h` : `${Math.floor(size / DAY_MS)} d`;
  return left >= 0 ? `in ${said}` : `${said} late`;
}

export const dateTime = (at: string): string => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(Date.parse(at));
export const day = (at: string): string => new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(Date.parse(at));

/** `JOB_CHANGED` as “job changed”. */
export const plain = (name: string): string => name.toLowerCase().replaceAll('_', ' ');

const CLOCKS: Record<Case['clocks'][number]['name'], string> = {
  DIRECT_WINDOW: 'the expert’s own days',
  SUPPORT_WINDOW: 'the way to support',
  RESPOND_BY: 'the expert’s answer',
  SLA_DECISION: 'support’s decision',
  TIMESHEET_DISPUTE: 'disputing the hours',
  DISPUTE_RESOLUTION: 'dispute resolution',
  SECOND_LOOK: 'asking for a second look',
  REVIEW: 'the review',
  WITHDRAWAL_ESTIMATE: 'the money’s arrival',
  INFORMATION: 'the answer to our question',
  FUNDS_ESCALATION: 'the expert’s money',
  WEEK_RELEASE: 'the week’s release to the expert',
};
export const clockName = (name: Case['clocks'][number]['name']): string => CLOCKS[name];

/** Whom a message or an item of evidence is for, as a choice and as a mark. */
export const AUDIENCES: Record<Item['audience'], { reads: string; mark: string }> = {
  INTERNAL: { reads: 'Staff only', mark: 'staff only' },
  REQUESTER_AND_SUPPORT: { reads: 'The requester', mark: 'to the requester' },
  COUNTERPARTY_AND_SUPPORT: { reads: 'The other side', mark: 'to the other side' },
  EVERYONE: { reads: 'Everyone', mark: 'to everyone' },
};

const EVIDENCE: Record<Item['__typename'], string> = { StatementEvidence: 'Statement', ConversationEvidence: 'Chat', FileEvidence: 'File' };
export const evidenceKind = (item: Item): string => EVIDENCE[item.__typename];

const KINDS: Record<Row['kind'], string> = { LEAD: 'Lead', INVOICE: 'Invoice', ESCROW: 'Escrow', TIMESHEET: 'Timesheet' };
export const kind = (one: { kind: Row['kind'] }): string => KINDS[one.kind];

/** When the person whose move it is has to have moved. */
export function dueAt(one: { clocks: { endsAt: string; whoseMove: string }[]; whoseMove: string; respondBy: string | null; targetAt: string | null }): string | null {
  if (one.whoseMove === 'SUPPORT' && one.targetAt) return one.targetAt;
  const theirs = one.clocks.filter((clock) => clock.whoseMove === one.whoseMove).map((clock) => clock.endsAt);
  return theirs.sort()[0] ?? one.respondBy;
}

export function about(subject: Row['subject']): string {
  switch (subject.__typename) {
    case 'Lead':
      return `${subject.title} (${subject.customerName})`;
    case 'Invoice':
      return `${subject.number} · ${subject.contract.title}`;
    case 'Milestone':
      return `${subject.title} · ${subject.contract.title}`;
    case 'BillingWeek':
      return `Week of ${day(subject.startsAt)} · ${subject.contract.title}`;
  }
}

const DONE: Record<CaseEvent['name'], string> = {
  REQUEST: 'asked for the money back',
  ISSUE: 'decided without being asked',
  OPEN_TIMESHEET_DISPUTE: 'disputed the hours',
  APPROVE: 'approved',
  DECLINE: 'declined',
  ESCALATE: 'took it to support',
  HAND_OVER: 'handed it over to support',
  SUPERSEDE: 'closed it for a dispute of the same hours',
  DISPUTE: 'opened a dispute',
  CONSENT: 'consented',
  CANCEL: 'took the request back',
  CREDIT: 'credited',
  REVERSE: 'took the credit back',
  TARGET_MISSED: 'noted that the decision is late',
  ADD_EVIDENCE: 'added evidence',
  SEND_MESSAGE: 'wrote a message',
  STAFF_NOTE: 'left a note for staff',
  ASSIGN: 'assigned it',
  WITHDRAWAL_CHANGED: 'noted a change of the withdrawal',
  DUE_SOON: 'reminded that time runs out',
  INFORMATION_REQUESTED: 'asked for information',
  PROPOSE: 'proposed a decision',
  CONFIRM: 'confirmed the proposal',
  RETURN: 'returned the proposal',
  REOPEN: 'reopened the case',
  FINALISE: 'made the decline final',
  CHARGEBACK: 'told of a chargeback',
  EVIDENCE_WITHDRAWN: 'withdrew evidence',
  EVIDENCE_REDACTED: 'redacted evidence',
  INFORMATION_ENDED: 'noted that no answer came in time',
  DEADLINE_MOVED: 'moved a deadline, as the rules in force say',
};

/** One event as a sentence: who, as what, did what. */
export function happened(event: CaseEvent): string {
  const who = event.actor?.name ?? (event.actorRole === 'SYSTEM' ? 'The desk' : plain(event.actorRole));
  const role = event.actor && event.actorRole !== 'SYSTEM' ? ` (${plain(event.actorRole)})` : '';
  const amount = event.amount ? `, ${money(event.amount)}` : '';
  return `${who}${role} ${DONE[event.name]}${amount}`;
}
