/** What the ready-made operations of a person can be about now: asked of the server, once for all of a person's tabs. */
import type { Person } from './session';

type Ask = (query: string) => Promise<never>;
type Numbered = { number: string; version: number };
type Amount = { amount: string; currencyCode: string };

export type Things = {
  me: string;
  someCase: string;
  openCase: string;
  toTake: Numbered;
  toApprove: Numbered;
  toDecline: Numbered;
  toDecideAtOnce: Numbered[];
  toAsk: Numbered;
  toReverse: Numbered;
  toConfirm: Numbered | null;
  toReturn: Numbered | null;
  toReopen: Numbered | null;
  toRedact: string | null;
  toWithdraw: string | null;
  someone: { name: string; externalRef: string };
  leadToReport: string;
  invoiceToAsk: { id: string; amount: Amount };
  preview: object;
  endpoint: string;
};

type Case = Numbered & { actions: { name: string; enabled: boolean }[] };
type Item = { id: string; addedAt: string; addedBy: { id: string }; withdrawnAt: string | null; redactedAt: string | null };
type Seen = Case & { decidedAt: string | null; requester: { name: string; externalRef: string }; evidence: Item[] };
type Nodes<T> = { edges: { node: T }[] };
type Invoice = { id: string; refundable: Amount; refundAction: { enabled: boolean } };
type Answer = {
  viewer: { id: string };
  cases: Nodes<Seen>;
  queue?: Nodes<Case>;
  credited?: Nodes<Case>;
  webhookEndpoints?: Nodes<{ id: string }>;
  leads?: Nodes<{ id: string; refundAction: { enabled: boolean } }>;
  contracts?: Nodes<{ invoices: Nodes<Invoice> }>;
};

const CASE = '{ edges { node { number version actions { name enabled } } } }';
const SEEN = '{ edges { node { number version decidedAt requester { name externalRef } actions { name enabled } evidence { id addedAt addedBy { id } withdrawnAt redactedAt } } } }';
const PARTS: [string, string][] = [
  ['SUPPORT', `queue: supportQueue(first: 50) ${CASE} credited: refundCases(first: 20, filter: { states: [CREDITED], kinds: [LEAD] }) ${CASE}`],
  ['ADMIN', 'webhookEndpoints(first: 1) { edges { node { id } } }'],
  ['PRO', 'leads(first: 30) { edges { node { id refundAction { enabled } } } }'],
  ['CLIENT', 'contracts(first: 10) { edges { node { invoices(first: 10) { edges { node { id refundable { amount currencyCode } refundAction { enabled } } } } } } }'],
];
const NOTHING: Numbered = { number: '', version: 0 };
const NO_ENDPOINT = 'none';

let last: { who: string; at: number; things: Promise<Things> } | null = null;
const SAME_MS = 3_000;

/** Return what there is for a person, asked again when the last answer is a few seconds old. */
export function findThings(person: Person | null, ask: Ask): Promise<Things> {
  const who = person?.externalRef ?? '';
  if (last?.who !== who || Date.now() - last.at > SAME_MS) last = { who, at: Date.now(), things: look(person, ask) };
  return last.things;
}

async function look(person: Person | null, ask: Ask): Promise<Things> {
  const parts = PARTS.filter(([role]) => person?.roles.includes(role)).map(([, part]) => part);
  const answer: Partial<Answer> | null = person === null ? null : await ask(`{ viewer { id } cases: refundCases(first: 50) ${SEEN} ${parts.join(' ')} }`);
  return choose(answer ?? {});
}

const nodes = <T>(list: Nodes<T> | undefined): T[] => list?.edges.map(({ node }) => node) ?? [];

/** Choose different cases for different acts, so that one of them does not take the next one's case away. */
function choose(answer: Partial<Answer>): Things {
  const cases = nodes(answer.cases);
  const can = (one: Case, name: string) => one.actions.some((action) => action.name === name && action.enabled);
  const decidable = [...nodes(answer.queue), ...cases].filter((one) => can(one, 'APPROVE') && can(one, 'DECLINE'));
  const unique = decidable.filter((one, index) => decidable.findIndex(({ number }) => number === one.number) === index);
  const [approve, decline, take, ...more] = unique.map(({ number, version }) => ({ number, version }));
  const proposed = cases.filter((one) => can(one, 'CONFIRM'));
  const items = cases.flatMap(({ decidedAt, evidence }) => evidence.map((item) => ({ ...item, decidedAt }))).filter(({ redactedAt }) => redactedAt === null);
  const mine = items.filter(({ addedBy, addedAt, withdrawnAt, decidedAt }) => addedBy.id === answer.viewer?.id && withdrawnAt === null && (decidedAt === null || decidedAt < addedAt));
  const invoice = nodes(answer.contracts).flatMap(({ invoices }) => nodes(invoices)).find(({ refundAction }) => refundAction.enabled);
  const lead = nodes(answer.leads).find(({ refundAction }) => refundAction.enabled)?.id ?? '';
  return {
    me: answer.viewer?.id ?? '',
    someCase: (unique[2] ?? cases[0])?.number ?? '',
    openCase: cases.find((one) => can(one, 'ADD_EVIDENCE'))?.number ?? '',
    toTake: take ?? NOTHING,
    toApprove: approve ?? NOTHING,
    toDecline: decline ?? approve ?? NOTHING,
    toDecideAtOnce: more.slice(0, 2),
    toAsk: more[2] ?? NOTHING,
    toReverse: nodes(answer.credited).find((one) => can(one, 'REVERSE')) ?? NOTHING,
    toConfirm: proposed[0] ?? null,
    toReturn: proposed[1] ?? null,
    toReopen: cases.find((one) => can(one, 'REOPEN')) ?? null,
    toRedact: items[0]?.id ?? null,
    toWithdraw: mine[0]?.id ?? null,
    someone: cases[0]?.requester ?? { name: '', externalRef: '' },
    leadToReport: lead,
    invoiceToAsk: { id: invoice?.id ?? '', amount: invoice?.refundable ?? { amount: '1.00', currencyCode: 'USD' } },
    preview: invoice ? { invoiceId: invoice.id } : { leadId: lead, reason: 'JOB_CHANGED' },
    endpoint: nodes(answer.webhookEndpoints)[0]?.id ?? NO_ENDPOINT,
  };
}
