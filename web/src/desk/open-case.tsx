/** One case with what can be done about it: buttons from `actions`, the form of an act, and what became of it. */
import { useEffect, useState } from 'react';
import { MarkReadDocument } from '../generated/graphql';
import { freshKey } from '../keys';
import { ActForm } from './act-form';
import { type Act, acts, type Staff, type Values } from './acts';
import { ask } from './ask';
import { CasePage, type Somebody } from './case-page';
import { useCase } from './data';
import { useLetters } from './keyboard';
import { Became } from './outcome';
import { inFull, inWords, type Outcome, useRunInTab } from './run-in-tab';
import type { Case } from './words';

type Props = { id: string; staff: Staff; onBack: () => void; onPerson: (who: Somebody) => void };

export function OpenCase({ id, staff, onBack, onPerson }: Props) {
  const { value: one, problem, refresh } = useCase(id);
  const [act, setAct] = useState<Act | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const runInTab = useRunInTab();
  const begin = (chosen: Act) => {
    if (!one || !chosen.availability(one, staff)?.enabled) return;
    setOutcome(null);
    setAct(chosen);
  };
  useLetters({
    ...Object.fromEntries(acts.map((one) => [one.letter, () => begin(one)])),
    Escape: () => (act ? setAct(null) : onBack()),
    Backspace: onBack,
  });
  useMarkedRead(one);

  const perform = async (chosen: Act, values: Values) => {
    if (!one) return;
    setBusy(true);
    const said = inWords(await runInTab(chosen.operation, chosen.variables(one, values, staff, freshKey())));
    setBusy(false);
    setOutcome(said);
    if (said.good) setAct(null);
    refresh();
  };

  return (
    <>
      <nav className="desk-back" aria-label="Desk">
        <button type="button" className="link" onClick={onBack}>
          ← All cases <kbd>Esc</kbd>
        </button>
      </nav>
      {one === null && <p role="status">{problem ?? 'Asking…'}</p>}
      {one && (
        <>
          <Buttons one={one} staff={staff} onBegin={begin} />
          <Became outcome={outcome} />
          {act && <ActForm key={act.letter} act={act} one={one} staff={staff} busy={busy} onDo={(values) => void perform(act, values)} onLeave={() => setAct(null)} />}
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
