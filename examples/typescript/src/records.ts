import type { AccountRecord, SyncRecord } from './generated/graphql';

// An input with @oneOf is a union in TypeScript: a record is of exactly one kind, or it does not compile.
const ada: AccountRecord = { externalRef: 'pro-ada', name: 'Ada', roles: ['PRO'] };

export const person: SyncRecord = { account: ada };

// @ts-expect-error Two kinds at once are no record.
export const both: SyncRecord = { account: ada, refund: { externalRef: 'r-1', amount: { amount: '1.00', currencyCode: 'USD' }, creditedAt: '2026-03-01T00:00:00Z' } };

// @ts-expect-error And no kind is none.
export const none: SyncRecord = {};
