/**
 * The desk inside GraphiQL: the queue, a case as a page, and acts that are written into a tab and run there.
 *
 * It must not know anything that the public schema does not say: what may be done and why not comes with the case.
 */
import { type GraphiQLPlugin, useGraphiQLActions } from '@graphiql/react';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import { onAnswer } from '../answers';
import { DeskIcon } from '../icons';
import { freshKey } from '../keys';
import { useOpenOperation } from '../open-operation';
import { asText, documentOf } from '../ready';
import { getSession, subscribeSession } from '../session';
import { ActForm } from './act-form';
import { type Act, acts, type Values } from './acts';
import { ask } from './ask';
import { CasePage } from './case-page';
import { useCase, useList } from './data';
import { Help } from './help';
import { useLetters } from './keyboard';
import { Queue, type Tab, TABS } from './queue';
import { MarkReadDocument, MeDocument } from '../generated/graphql';
import type { Case } from './words';

export const deskPlugin: GraphiQLPlugin = { title: 'Desk', icon: () => <DeskIcon />, content: Desk };

type Outcome = { good: boolean; said: string[] };

function Desk() {
  const me = useMe();
  const [tab, setTab] = useState<Tab>('waiting');
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string | null>(null);
  const [last, setLast] = useState<string | null>(null);
  const [helping, setHelping] = useState(false);
  useLetters({ '?': () => setHelping(true) });
  const openCase = useCallback((id: string) => {
    setOpen(id);
    setLast(id);
  }, []);
  return (
    <section className="desk" aria-label="Desk">
      {open === null ? (
        <Cases tab={tab} text={text} me={me} last={last} onTab={setTab} onSearch={setText} onOpen={openCase} />
      ) : (
        <OpenCase key={open} id={open} me={me} onBack={() => setOpen(null)} />
      )}
      <p className="desk-foot">
        <button type="button" className="link" onClick={() => setHelping(true)}>
          Keys <kbd>?</kbd>
        </button>
      </p>
      <Help open={helping} onClose={() => setHelping(false)} />
    </section>
  );
}

type CasesProps = { tab: Tab; text: string; me: string; last: string | null; onTab: (tab: Tab) => void; onSearch: (text: string) => void; onOpen: (id: string) => void };

function Cases({ tab, text, me, last, onTab, onSearch, onOpen }: CasesProps) {
  const list = useList(TABS[tab].view(me, text));
  return <Queue list={list.value} problem={list.problem} tab={tab} me={me} last={last} onTab={onTab} onSearch={onSearch} onOpen={onOpen} searchText={text} />;
}

function OpenCase({ id, me, onBack }: { id: string; me: string; onBack: () => void }) {
  const { value: one, problem, refresh } = useCase(id);
  const [act, setAct] = useState<Act | null>(null);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const runInTab = useRunInTab();
  const isOpen = (name: Act['action']) => one?.actions.some((action) => action.name === name && action.enabled) ?? false;
  const begin = (chosen: Act) => {
    if (!isOpen(chosen.action)) return;
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
    const said = await runInTab(chosen.operation, chosen.variables(one, values, me, freshKey()));
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
          <Buttons one={one} onBegin={begin} />
          {outcome && (
            <div className={outcome.good ? 'desk-outcome good' : 'desk-outcome bad'} role="status" aria-label="What became of it">
              {outcome.said.map((line) => (
                <p key={line}>{line}</p>
              ))}
            </div>
          )}
          {act && <ActForm key={act.action} act={act} one={one} busy={busy} onDo={(values) => void perform(act, values)} onLeave={() => setAct(null)} />}
          <CasePage one={one} />
        </>
      )}
    </>
  );
}

/** One button for each act of the machine that is staff's; a closed one says why. */
function Buttons({ one, onBegin }: { one: Case; onBegin: (act: Act) => void }) {
  const offered = acts.flatMap((act) => {
    const action = one.actions.find(({ name }) => name === act.action);
    return action ? [{ act, action }] : [];
  });
  return (
    <div role="group" aria-label="What can be done">
      <div className="desk-actions">
        {offered
          .filter(({ action }) => action.enabled)
          .map(({ act }) => (
            <button key={act.action} type="button" className={act.decides === 'APPROVE' ? 'primary' : 'quiet'} onClick={() => onBegin(act)}>
              {act.label} <kbd>{act.letter}</kbd>
            </button>
          ))}
      </div>
      <ul className="desk-closed">
        {offered
          .filter(({ action }) => !action.enabled)
          .map(({ act, action }) => (
            <li key={act.action}>
              <button type="button" disabled aria-describedby={`why-${act.action}`}>
                {act.label}
              </button>{' '}
              <span id={`why-${act.action}`}>{action.blockers.map(({ message, rule }) => `${message}${rule ? ` (${rule})` : ''}`).join(' ')}</span>
            </li>
          ))}
      </ul>
    </div>
  );
}

/** Write an operation into its tab, run it there, and say in words what it was answered. */
function useRunInTab(): (operation: string, variables: object) => Promise<Outcome> {
  const { run } = useGraphiQLActions();
  const openOperation = useOpenOperation();
  return async (operation, variables) => {
    openOperation(operation, documentOf(operation), asText(variables));
    let outcome: Outcome = { good: false, said: ['The operation did not reach the server; its tab says why.'] };
    const off = onAnswer(({ operationName, answer }) => {
      if (operationName === operation) outcome = inWords(answer as Answer);
    });
    await run();
    off();
    return outcome;
  };
}

type Answer = { data?: Record<string, { refusals?: { message: string; rule?: string | null }[] } | null> | null; errors?: { message: string }[] };

function inWords({ data, errors }: Answer): Outcome {
  if (errors) return { good: false, said: errors.map(({ message }) => message) };
  const refusals = Object.values(data ?? {})[0]?.refusals ?? [];
  if (refusals.length > 0) return { good: false, said: refusals.map(({ message, rule }) => (rule ? `${message} (${rule})` : message)) };
  return { good: true, said: ['Done. The operation and its answer stand in the tab beside.'] };
}

function useMe(): string {
  const session = useSyncExternalStore(subscribeSession, getSession);
  const token = session.state === 'signed-in' ? session.token : null;
  const [me, setMe] = useState('');
  useEffect(() => {
    if (token !== null) void ask(MeDocument, {}).then((answer) => setMe(answer.viewer?.id ?? ''), () => {});
  }, [token]);
  return me;
}

/** A case that is looked at is read; the server keeps it for this viewer alone. */
function useMarkedRead(one: Case | null): void {
  const id = one?.unread ? one.id : null;
  const version = one?.version;
  useEffect(() => {
    if (id !== null) void ask(MarkReadDocument, { input: { refundCaseId: id } }).catch(() => {});
  }, [id, version]);
}
