/** What the desk shows, kept up to date: lists and cases read again when the live stream says that they changed. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { DeskCaseDocument, DeskCasesDocument, DeskFollowCaseDocument, type DeskFollowCaseSubscription, DeskFollowDocument, DeskQueueDocument, MeDocument, type RefundCaseFilter, StaffDocument, type StaffQuery } from '../generated/graphql';
import { follow } from '../live';
import type { Staff } from './acts';
import { ask } from './ask';
import type { Case, Colleague, Row } from './words';

export type List = { rows: Row[]; total: number; asOf: string };
export type View = { queue: boolean; filter: RefundCaseFilter };
/** `refresh` reads again soon; `reread` at once, and returns it when it is shown, or null where it did not come. */
type Kept<T> = { value: T | null; problem: string | null; refresh: () => void; reread: () => Promise<T | null> };

/** Several changes within this are one look. */
const SETTLE_MS = 120;
const LATER_MS = 3_000;

/** Read something now, on each change of `key`, and whenever it is told to; an older answer never replaces a newer. */
function useKept<T>(key: string | null, read: () => Promise<T>): Kept<T> {
  const [kept, setKept] = useState<{ key: string | null; value: T | null; problem: string | null }>({ key, value: null, problem: null });
  const asked = useRef(0);
  const shown = useRef(0);
  const next = useRef({ timer: 0, at: Number.POSITIVE_INFINITY });
  const latest = useRef(read);
  latest.current = read;
  /** Read in a while; a sooner reading is not put off, however often it is called. */
  const readIn = useCallback((ms: number, look: () => void) => {
    const at = performance.now() + ms;
    if (at >= next.current.at) return;
    window.clearTimeout(next.current.timer);
    next.current = { at, timer: window.setTimeout(look, ms) };
  }, []);
  const forget = useCallback(() => {
    window.clearTimeout(next.current.timer);
    next.current.at = Number.POSITIVE_INFINITY;
  }, []);
  const reread = useCallback(async (): Promise<T | null> => {
    forget();
    const mine = ++asked.current;
    const show = (next: Parameters<typeof setKept>[0]) => {
      if (mine <= shown.current) return false;
      shown.current = mine;
      setKept(next);
      return true;
    };
    try {
      const value = await latest.current();
      show({ key, value, problem: null });
      return value;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (show((before) => ({ key, value: before.key === key ? before.value : null, problem }))) readIn(LATER_MS, () => void reread());
      return null;
    }
  }, [key, readIn, forget]);
  useEffect(() => {
    if (key !== null) void reread();
    return () => {
      shown.current = asked.current;
      forget();
    };
  }, [key, reread, forget]);
  const refresh = useCallback(() => readIn(SETTLE_MS, () => void reread()), [readIn, reread]);
  return kept.key === key ? { ...kept, refresh, reread } : { value: null, problem: null, refresh, reread };
}

/** A list of cases; told of every change at the desk. Null reads nothing yet. */
export function useList(view: View | null): Kept<List> {
  const kept = useKept(view && JSON.stringify(view), async () => {
    const { asOf, edges, totalCount } = view!.queue
      ? (await ask(DeskQueueDocument, { filter: view!.filter })).supportQueue
      : (await ask(DeskCasesDocument, { filter: view!.filter })).refundCases;
    return { rows: edges.map(({ node }) => node), total: totalCount, asOf };
  });
  const { refresh } = kept;
  const since = kept.value?.asOf ?? null;
  const begun = since !== null;
  const latest = useRef(since);
  latest.current = since;
  useEffect(() => {
    if (!begun) return;
    return follow({ query: DeskFollowDocument.toString(), operationName: 'DeskFollow', variables: { after: latest.current } }, { next: refresh, end: () => {} });
  }, [begun, refresh]);
  return kept;
}

/** One case, as it is now. */
export function useCase(id: string): Kept<Case | null> {
  const kept = useKept<Case | null>(id, async () => (await ask(DeskCaseDocument, { id })).refundCase);
  const { refresh } = kept;
  const version = kept.value?.version ?? Number.POSITIVE_INFINITY;
  const read = useRef(version);
  read.current = version;
  const told = useRef(0);
  useEffect(
    () =>
      follow(
        { query: DeskFollowCaseDocument.toString(), operationName: 'DeskFollowCase', variables: { refundCaseId: id } },
        {
          next: (data) => {
            const now = (data as DeskFollowCaseSubscription).refundCaseUpdates.refundCase.version;
            // The stream begins with the case as it is, which may have been read just so, or before.
            if (told.current > 0 || read.current < now) refresh();
            told.current = now;
          },
          end: () => {},
        },
      ),
    [id, refresh],
  );
  useEffect(() => {
    if (version < told.current) refresh();
  }, [version, refresh]);
  return kept;
}

/** Who is at this desk, and everybody whom a case can be given to. */
export function useStaff(): Staff | null {
  return useKept<Staff>('staff', async () => {
    const { viewer } = await ask(MeDocument, {});
    const colleagues: Colleague[] = [];
    let after: string | null = null;
    do {
      const { staff }: StaffQuery = await ask(StaffDocument, { after });
      colleagues.push(...staff.edges.map(({ node }) => node));
      after = staff.pageInfo.hasNextPage ? staff.pageInfo.endCursor : null;
    } while (after !== null);
    return { me: viewer?.id ?? '', isAdmin: viewer?.roles.includes('ADMIN') ?? false, colleagues };
  }).value;
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
