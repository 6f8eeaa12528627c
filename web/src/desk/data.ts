/** What the desk shows, kept up to date: lists and cases read again when the live stream says that they changed. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { DeskCaseDocument, DeskCasesDocument, DeskFollowCaseDocument, DeskFollowDocument, DeskQueueDocument, MeDocument, type RefundCaseFilter, StaffDocument, type StaffQuery } from '../generated/graphql';
import { follow } from '../live';
import type { Staff } from './acts';
import { ask } from './ask';
import type { Case, Colleague, Row } from './words';

export type List = { rows: Row[]; total: number; asOf: string };
export type View = { queue: boolean; filter: RefundCaseFilter };
type Kept<T> = { value: T | null; problem: string | null; refresh: () => void };

/** Several changes within this are one look. */
const SETTLE_MS = 120;
const LATER_MS = 3_000;

/** Read something now, on each change of `key`, and whenever it is told to; an older answer never replaces a newer. */
function useKept<T>(key: string, read: () => Promise<T>): Kept<T> {
  const [kept, setKept] = useState<{ key: string; value: T | null; problem: string | null }>({ key, value: null, problem: null });
  const turn = useRef(0);
  const timer = useRef<number | undefined>(undefined);
  const latest = useRef(read);
  latest.current = read;
  const look = useCallback(async () => {
    const mine = ++turn.current;
    try {
      const value = await latest.current();
      if (mine === turn.current) setKept({ key, value, problem: null });
    } catch (error) {
      if (mine !== turn.current) return;
      setKept((before) => ({ ...before, key, problem: error instanceof Error ? error.message : String(error) }));
      timer.current = window.setTimeout(() => void look(), LATER_MS);
    }
  }, [key]);
  useEffect(() => {
    void look();
    return () => {
      turn.current += 1;
      window.clearTimeout(timer.current);
    };
  }, [look]);
  const refresh = useCallback(() => {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void look(), SETTLE_MS);
  }, [look]);
  return kept.key === key ? { ...kept, refresh } : { value: null, problem: null, refresh };
}

/** A list of cases; told of every change at the desk. */
export function useList(view: View): Kept<List> {
  const key = JSON.stringify(view);
  const kept = useKept(key, async () => {
    const { asOf, edges, totalCount } = view.queue
      ? (await ask(DeskQueueDocument, { filter: view.filter })).supportQueue
      : (await ask(DeskCasesDocument, { filter: view.filter })).refundCases;
    return { rows: edges.map(({ node }) => node), total: totalCount, asOf };
  });
  const { refresh } = kept;
  const since = kept.value?.asOf ?? null;
  const begun = since !== null;
  const first = useRef<string | null>(null);
  first.current ??= since;
  useEffect(() => {
    if (!begun) return;
    return follow({ query: DeskFollowDocument.toString(), operationName: 'DeskFollow', variables: { after: first.current } }, { next: refresh, end: () => {} });
  }, [begun, refresh]);
  return kept;
}

/** One case, as it is now. */
export function useCase(id: string): Kept<Case | null> {
  const kept = useKept<Case | null>(id, async () => (await ask(DeskCaseDocument, { id })).refundCase);
  const { refresh } = kept;
  useEffect(() => {
    let first = true;
    return follow(
      { query: DeskFollowCaseDocument.toString(), operationName: 'DeskFollowCase', variables: { refundCaseId: id } },
      {
        next: () => {
          // The stream begins with the case as it is, which has just been read.
          if (!first) refresh();
          first = false;
        },
        end: () => {},
      },
    );
  }, [id, refresh]);
  return kept;
}

/** Who is at this desk, and everybody whom a case can be given to. */
export function useStaff(): Staff {
  const { value } = useKept<Staff>('staff', async () => {
    const { viewer } = await ask(MeDocument, {});
    const colleagues: Colleague[] = [];
    let after: string | null = null;
    do {
      const { staff }: StaffQuery = await ask(StaffDocument, { after });
      colleagues.push(...staff.edges.map(({ node }) => node));
      after = staff.pageInfo.hasNextPage ? staff.pageInfo.endCursor : null;
    } while (after !== null);
    return { me: viewer?.id ?? '', isAdmin: viewer?.roles.includes('ADMIN') ?? false, colleagues };
  });
  return value ?? { me: '', isAdmin: false, colleagues: [] };
}

/** The present, for “in 5 h”: looked at twice a minute. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 30_000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}
