/** One case with what can be done about it: buttons from `actions`, the form of an act, and what became of it. */
import { useEffect, useState } from 'react';
import { MarkReadDocument } from '../generated/graphql';
import { ActForm } from './act-form';
import { type Act, acts, type Staff, type Values } from './acts';
import { ask } from './ask';
import { CasePage, type Somebody } from './case-page';
import { useCase } from './data';
import { forgetEarlyKeys, type Letters, useLetters } from './keyboard';
import { Became } from './outcome';
import { inFull, inWords, type Outcome, useRunInTab } from './run-in-tab';
import type { Case } from './words';

type Props = { id: string; staff: Staff | null; onBack: () => void; onPerson: (who: Somebody) => void };
/** An act that is being thought about, and the case as it was looked at for that. */
type Begun = { act: Act; on: Case; staff: Staff };

export function OpenCase({ id, staff, onBack, onPerson }: Props) {
  const { value: one, problem, reread } = useCase(id);
  const [begun, setBegun] = useState<Begun | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const runInTab = useRunInTab();
  const begin = (act: Act) => {
    if (busy || !one || !staff || !act.availability(one, staff)?.enabled) return false;
    setOutcome(null);
    setBegun({ act, on: one, staff });
  };
  const leave: Letters = { Escape: () => (begun ? setBegun(null) : onBack()), Backspace: onBack };
  const letters: Letters = Object.fromEntries(acts.map((act) => [act.letter, () => begin(act)]));
  const there = (one !== null && staff !== null) || problem !== null;
  useLetters(busy ? {} : leave, { ...leave, ...letters }, there && !busy);
  useMarkedRead(one);

  const perform = async ({ act, on, staff }: Begun, values: Values) => {
    setBusy(true);
    const payload = await runInTab(act.operation, (key) => act.variables(on, values, staff, key));
    const said = inWords(payload);
    setOutcome(said);
    if (said.good) setBegun(null);
    else forgetEarlyKeys();
    // What is done next is about the case as it is now, and so is what was refused.
    const now = await reread();
    if (!said.good && now && !Array.isArray(payload)) setBegun({ act, on: now, staff });
    setBusy(false);
  };

  return (
    <>
      <nav className="desk-back" aria-label="Desk">
        <button type="button" className="link" onClick={onBack}>
          ← All cases <kbd>Esc</kbd>
        </button>
      </nav>
      {(one === null || staff === null) && <p role="status">{problem ?? 'Asking…'}</p>}
      {one && staff && (
        <>
          <Buttons one={one} staff={staff} onBegin={begin} />
          <Became outcome={outcome} />
          {begun && (
            <ActForm
              key={begun.act.letter}
              act={begun.act}
              one={begun.on}
              staff={begun.staff}
              busy={busy}
              onDo={(values) => void perform(begun, values)}
              onLeave={() => setBegun(null)}
            />
          )}
          <CasePage one={one} onPerson={onPerson} />
        </>
      )}
    </>
  );
}

type ButtonsProps = { one: Case; staff: Staff; onBegin: (act: Act) => void };

/** One button for each act of the machine that is staff's; a closed one says why. */
function Buttons({ one, staff, onBegin }: ButtonsProps) {
  const offered = acts.flatMap((act) => {
    const availability = act.availability(one, staff);
    return availability ? [{ act, availability }] : [];
  });
  return (
    <div role="group" aria-label="What can be done">
      <div className="desk-actions">
        {offered
          .filter(({ availability }) => availability.enabled)
          .map(({ act }) => (
            <button key={act.letter} type="button" className={act.decides === 'APPROVE' ? 'primary' : 'quiet'} onClick={() => onBegin(act)}>
              {act.label} <kbd>{act.letter}</kbd>
            </button>
          ))}
      </div>
      <ul className="desk-closed">
        {offered
          .filter(({ availability }) => !availability.enabled)
          .map(({ act, availability }) => (
            <li key={act.letter}>
              <button type="button" disabled aria-describedby={`why-${act.letter}`}>
                {act.label}
              </button>{' '}
              <span id={`why-${act.letter}`}>{availability.blockers.map(inFull).join(' ')}</span>
            </li>
          ))}
      </ul>
    </div>
  );
}

/** A case that is looked at is read; the server keeps it for this viewer alone. */
function useMarkedRead(one: Case | null): void {
  const id = one?.unread ? one.id : null;
  const version = one?.version;
  useEffect(() => {
    if (id !== null) void ask(MarkReadDocument, { input: { refundCaseId: id } }).catch(() => {});
  }, [id, version]);
}
