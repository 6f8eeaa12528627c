/** The queue as a table: what waits, who against whom, how much, until when, whose it is; several of it decided at once. */
import { type RefObject, useLayoutEffect, useRef, useState } from 'react';
import { Bulk, type Decisions } from './bulk';
import type { Somebody } from './case-page';
import { useList, type View } from './data';
import { focusUnlessWriting, forgetEarlyKeys, useLetters } from './keyboard';
import { Became } from './outcome';
import { QueueRow } from './queue-row';
import { eachInWords, type Outcome, useRunInTab } from './run-in-tab';
import { Search } from './search';
import type { Row } from './words';

export type Tab = 'waiting' | 'mine' | 'unread' | 'late' | 'all';
const TABS: Record<Tab, string> = { waiting: 'Waiting', mine: 'Mine', unread: 'Unread', late: 'Late', all: 'All' };
const ORDER = Object.keys(TABS) as Tab[];
/** What is looked at: a list, what was searched for, and whose cases. */
type Looked = { tab: Tab; text: string; whose: Somebody | null; me: string | null };
/** Pressed for whoever leaves the search field: into the first case that was found. */
const FOUND = 'found';
/** As many as one request decides. */
const AT_ONCE = 50;

/** Null until it is known who looks. */
function viewOf({ tab, text, whose, me }: Looked): View | null {
  if (tab === 'mine' && me === null) return null;
  return {
    queue: tab === 'waiting',
    filter: {
      ...(text.trim() !== '' && { text: text.trim() }),
      ...(whose !== null && { accountId: whose.id }),
      ...(tab === 'mine' && { assigneeId: me }),
      ...(tab === 'unread' && { unread: true }),
      ...(tab === 'late' && { overdue: true }),
    },
  };
}

type Props = {
  looked: Looked;
  /** The case that was read last: the selection goes on from there. */
  last: string | null;
  onTab: (tab: Tab) => void;
  onSearch: (text: string) => void;
  onEverybody: () => void;
  onOpen: (id: string) => void;
};

export function Queue({ looked, last, onTab, onSearch, onEverybody, onOpen }: Props) {
  const view = viewOf(looked);
  const { value: list, problem, reread } = useList(view);
  const rows = list?.rows ?? [];
  const [selected, setSelected] = useState<string | null>(last);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [deciding, setDeciding] = useState<{ decision: 'APPROVE' | 'DECLINE'; cases: Row[] } | null>(null);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const runInTab = useRunInTab();
  const searchField = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const at = rows.findIndex((row) => row.id === selected);
  const place = usePlace(at, JSON.stringify(view));
  const chosen = rows.filter(({ id }) => picked.has(id));
  const select = (index: number) => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, index))];
    if (!next) return false;
    setSelected(next.id);
    focusRow(table, next.id);
  };
  const pick = (ids: string[], on: boolean) => setPicked(new Set(on ? [...picked, ...ids].slice(0, AT_ONCE) : [...picked].filter((id) => !ids.includes(id))));
  const decide = (decision: 'APPROVE' | 'DECLINE') => {
    if (chosen.length === 0 || busy) return false;
    setOutcome(null);
    setDeciding({ decision, cases: chosen });
  };
  const came = list !== null;
  // Before any key does something: the focus selects, and would take back what a key has selected.
  useLayoutEffect(() => {
    if (came && last !== null) focusRow(table, last);
  }, [came, last]);
  const [down, up] = [() => select(at < 0 ? place : at + 1), () => select((at < 0 ? place : at) - 1)];
  const press = useLetters(
    {
      ...Object.fromEntries(ORDER.map((name, at) => [`${at + 1}`, () => onTab(name)])),
      Escape: () => (!deciding ? setPicked(new Set()) : busy ? false : setDeciding(null)),
      '/': () => searchField.current?.focus(),
    },
    {
      j: down,
      k: up,
      ArrowDown: down,
      ArrowUp: up,
      Enter: () => (rows[at] ? onOpen(rows[at].id) : false),
      x: () => (rows[at] ? pick([rows[at].id], !picked.has(rows[at].id)) : false),
      a: () => decide('APPROVE'),
      d: () => decide('DECLINE'),
      [FOUND]: () => select(0),
    },
    (came || problem !== null) && !busy,
  );
  const perform = async (cases: Row[], decisions: Decisions) => {
    setBusy(true);
    const said = eachInWords(await runInTab('DecideMany', decisions), cases.map(({ number }) => number));
    setOutcome(said);
    if (!said.good) forgetEarlyKeys();
    setDeciding(null);
    setPicked(new Set());
    await reread();
    setBusy(false);
  };

  return (
    <>
      <div className="desk-tools">
        <div role="group" aria-label="Which cases" className="desk-tabs">
          {ORDER.map((name, at) => (
            <button key={name} type="button" title={`${at + 1}`} aria-pressed={name === looked.tab} onClick={() => onTab(name)}>
              {TABS[name]}
            </button>
          ))}
        </div>
        <Search field={searchField} text={looked.text} onSearch={onSearch} onDone={() => press(FOUND)} />
      </div>
      {looked.whose && (
        <p className="desk-whose">
          Cases of <strong>{looked.whose.name}</strong>{' '}
          <button type="button" className="link" onClick={onEverybody}>
            Everybody’s
          </button>
        </p>
      )}
      <p className="desk-count" role="status">
        {problem ?? counted(list?.total ?? null, rows.length)}
      </p>
      {chosen.length > 0 && !deciding && (
        <div role="group" aria-label="Selected cases" className="desk-picked">
          <strong>{chosen.length} selected</strong>
          <button type="button" className="primary" onClick={() => decide('APPROVE')}>
            Approve <kbd>a</kbd>
          </button>
          <button type="button" className="quiet" onClick={() => decide('DECLINE')}>
            Decline <kbd>d</kbd>
          </button>
          <button type="button" className="link" onClick={() => setPicked(new Set())}>
            None <kbd>Esc</kbd>
          </button>
        </div>
      )}
      {deciding && (
        <Bulk
          key={deciding.decision}
          {...deciding}
          busy={busy}
          onDo={(decisions) => void perform(deciding.cases, decisions)}
          onLeave={() => setDeciding(null)}
        />
      )}
      <Became outcome={outcome} />
      {rows.length > 0 && (
        <table className="desk-table" ref={table} aria-label={`${TABS[looked.tab]} cases`}>
          <thead>
            <tr>
              <td>
                <input type="checkbox" aria-label="Select all of them" checked={chosen.length === rows.length} onChange={(event) => pick(rows.map(({ id }) => id), event.target.checked)} />
              </td>
              <th scope="col">Case</th>
              <th scope="col">About</th>
              <th scope="col">Who</th>
              <th scope="col" className="number">
                Amount
              </th>
              <th scope="col">State</th>
              <th scope="col">Due</th>
              <th scope="col">Taken by</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <QueueRow
                key={row.id}
                row={row}
                me={looked.me}
                selected={row.id === selected}
                picked={picked.has(row.id)}
                showMove={looked.tab !== 'waiting'}
                onSelect={setSelected}
                onPick={(on) => pick([row.id], on)}
                onOpen={onOpen}
              />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function counted(total: number | null, shown: number): string {
  if (total === null) return 'Asking…';
  if (total === 0) return 'Nothing here.';
  return `${total} ${total === 1 ? 'case' : 'cases'}${total > shown ? `, the first ${shown}` : ''}`;
}

/** Where the selected row stands, or stood until it left the list; a new list begins at its first row. */
function usePlace(at: number, view: string): number {
  const place = useRef({ at: 0, view });
  if (place.current.view !== view) place.current = { at: 0, view };
  if (at >= 0) place.current.at = at;
  return place.current.at;
}

function focusRow(table: RefObject<HTMLTableElement | null>, id: string): void {
  const button = table.current?.querySelector<HTMLElement>(`[data-case="${CSS.escape(id)}"]`);
  focusUnlessWriting(button);
  button?.closest('tr')?.scrollIntoView({ block: 'nearest' });
}
