/** The queue as a table: what waits, who against whom, how much, until when, whose it is. */
import { type RefObject, useEffect, useRef, useState } from 'react';
import { type List, type View, useNow } from './data';
import { useLetters } from './keyboard';
import { about, dueAt, kind, money, plain, type Row, timeLeft } from './words';

export type Tab = 'waiting' | 'mine' | 'unread' | 'late' | 'all';
export const TABS: Record<Tab, { label: string; view: (me: string, text: string) => View }> = {
  waiting: { label: 'Waiting', view: (_me, text) => ({ queue: true, filter: search(text) }) },
  mine: { label: 'Mine', view: (me, text) => ({ queue: false, filter: { ...search(text), assigneeId: me } }) },
  unread: { label: 'Unread', view: (_me, text) => ({ queue: false, filter: { ...search(text), unread: true } }) },
  late: { label: 'Late', view: (_me, text) => ({ queue: false, filter: { ...search(text), overdue: true } }) },
  all: { label: 'All', view: (_me, text) => ({ queue: false, filter: search(text) }) },
};

const search = (text: string) => (text.trim() === '' ? {} : { text: text.trim() });
const TYPING_MS = 250;

type Props = {
  list: List | null;
  problem: string | null;
  tab: Tab;
  me: string;
  /** The case that was read last: the selection goes on from there. */
  last: string | null;
  onTab: (tab: Tab) => void;
  onSearch: (text: string) => void;
  onOpen: (id: string) => void;
  searchText: string;
};

export function Queue({ list, problem, tab, me, last, onTab, onSearch, onOpen, searchText }: Props) {
  const now = useNow();
  const rows = list?.rows ?? [];
  const [selected, setSelected] = useState<string | null>(last);
  const searchField = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const at = Math.max(0, rows.findIndex((row) => row.id === selected));
  const move = (by: number) => {
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + (selected === null ? 0 : by)))];
    if (!next) return;
    setSelected(next.id);
    focusRow(table, next.id);
  };
  useLetters({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: () => rows[at] && onOpen(rows[at].id),
    '/': () => searchField.current?.focus(),
  });
  const came = list !== null;
  useEffect(() => {
    if (came && last !== null) focusRow(table, last);
  }, [came, last]);
  const [wanting, setWanting] = useState(false);
  useEffect(() => {
    if (!wanting || list === null) return;
    setWanting(false);
    const first = list.rows[0];
    if (!first) return;
    setSelected(first.id);
    focusRow(table, first.id);
  }, [wanting, list]);

  return (
    <>
      <div className="desk-tools">
        <div role="group" aria-label="Which cases" className="desk-tabs">
          {(Object.keys(TABS) as Tab[]).map((name) => (
            <button key={name} type="button" aria-pressed={name === tab} onClick={() => onTab(name)}>
              {TABS[name].label}
            </button>
          ))}
        </div>
        <Search field={searchField} text={searchText} onSearch={onSearch} onDone={() => setWanting(true)} />
      </div>
      <p className="desk-count" role="status">
        {problem ?? (list === null ? 'Asking…' : list.total === 0 ? 'Nothing here.' : `${list.total} ${list.total === 1 ? 'case' : 'cases'}${list.total > rows.length ? `, the first ${rows.length}` : ''}`)}
      </p>
      {rows.length > 0 && (
        <table className="desk-table" ref={table} aria-label={`${TABS[tab].label} cases`}>
          <thead>
            <tr>
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
              <QueueRow key={row.id} row={row} now={now} me={me} selected={row.id === selected} showMove={tab !== 'waiting'} onSelect={setSelected} onOpen={onOpen} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function focusRow(table: RefObject<HTMLTableElement | null>, id: string): void {
  const button = table.current?.querySelector<HTMLElement>(`[data-case="${CSS.escape(id)}"]`);
  button?.focus({ preventScroll: true });
  button?.closest('tr')?.scrollIntoView({ block: 'nearest' });
}

type RowProps = { row: Row; now: number; me: string; selected: boolean; showMove: boolean; onSelect: (id: string) => void; onOpen: (id: string) => void };

function QueueRow({ row, now, me, selected, showMove, onSelect, onOpen }: RowProps) {
  const due = dueAt(row);
  return (
    <tr className={[selected && 'selected', row.overdue && 'late', row.unread && 'unread'].filter(Boolean).join(' ')} onClick={() => onOpen(row.id)}>
      <th scope="row">
        <button type="button" data-case={row.id} onFocus={() => onSelect(row.id)} onClick={(event) => (event.stopPropagation(), onOpen(row.id))}>
          {row.number}
        </button>
        {row.unread && <span className="desk-dot" role="img" aria-label="unread" title="Something new" />}
        <small>{kind(row)}</small>
      </th>
      <td data-label="About">{about(row.subject)}</td>
      <td data-label="Who">
        {row.requester.name}
        {row.counterparty && <small>against {row.counterparty.name}</small>}
      </td>
      <td data-label="Amount" className="number">
        {money(row.requestedAmount)}
      </td>
      <td data-label="State">
        <span className={`desk-state ${row.state.toLowerCase()}`}>{plain(row.state)}</span>
        {showMove && <small>{move(row.whoseMove)}</small>}
      </td>
      <td data-label="Due" className={row.overdue ? 'due late' : 'due'}>
        {row.overdue && due === null ? 'late' : due === null ? '–' : timeLeft(due, now)}
      </td>
      <td data-label="Taken by" className={row.assignee ? '' : 'nobody'}>{row.assignee ? (row.assignee.id === me ? 'me' : row.assignee.name) : '–'}</td>
    </tr>
  );
}

const move = (whose: Row['whoseMove']): string => (whose === 'NOBODY' ? 'nobody’s move' : `${plain(whose)}’s move`);

type SearchProps = { field: RefObject<HTMLInputElement | null>; text: string; onSearch: (text: string) => void; onDone: () => void };

function Search({ field, text, onSearch, onDone }: SearchProps) {
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed === text) return;
    const timer = window.setTimeout(() => onSearch(typed), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [typed, text, onSearch]);
  return (
    <input
      ref={field}
      type="search"
      className="desk-search"
      aria-label="Search cases"
      placeholder="Number, name, reference, invoice…  /"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== 'Escape') return;
        // Out of the field, and into the first case as soon as the list is there.
        event.currentTarget.blur();
        onSearch(typed);
        onDone();
      }}
    />
  );
}
