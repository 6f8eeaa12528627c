/** One case in the list. */
import { useNow } from './data';
import { about, dueAt, kind, money, plain, type Row, timeLeft } from './words';

type Props = {
  row: Row;
  me: string | null;
  selected: boolean;
  picked: boolean;
  showMove: boolean;
  onSelect: (id: string) => void;
  onPick: (on: boolean) => void;
  onOpen: (id: string) => void;
};

export function QueueRow({ row, me, selected, picked, showMove, onSelect, onPick, onOpen }: Props) {
  const now = useNow();
  const due = dueAt(row);
  return (
    <tr className={[selected && 'selected', row.overdue && 'late', row.unread && 'unread'].filter(Boolean).join(' ')} onClick={() => onOpen(row.id)}>
      <td className="pick" onClick={(event) => event.stopPropagation()}>
        <input type="checkbox" aria-label={`Select ${row.number}`} checked={picked} onChange={(event) => onPick(event.target.checked)} />
      </td>
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
      <td data-label="Taken by" className={row.assignee ? '' : 'nobody'}>
        {row.assignee ? (row.assignee.id === me ? 'me' : row.assignee.name) : '–'}
      </td>
    </tr>
  );
}

const move = (whose: Row['whoseMove']): string => (whose === 'NOBODY' ? 'nobody’s move' : `${plain(whose)}’s move`);
