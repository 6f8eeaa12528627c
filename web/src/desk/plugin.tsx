/**
 * The desk inside GraphiQL: the queue, a case as a page, and acts that are written into a tab and run there.
 *
 * It must not know anything that the public schema does not say: what may be done and why not comes with the case.
 */
import type { GraphiQLPlugin } from '@graphiql/react';
import { useCallback, useEffect, useState } from 'react';
import { DeskIcon } from '../icons';
import type { Somebody } from './case-page';
import { useStaff } from './data';
import { Help } from './help';
import { forgetEarlyKeys, useLetters } from './keyboard';
import { OpenCase } from './open-case';
import { Queue, type Tab } from './queue';

export const deskPlugin: GraphiQLPlugin = { title: 'Desk', icon: () => <DeskIcon />, content: Desk };

function Desk() {
  const staff = useStaff();
  const [tab, setTab] = useState<Tab>('waiting');
  const [text, setText] = useState('');
  const [whose, setWhose] = useState<Somebody | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [last, setLast] = useState<string | null>(null);
  const [helping, setHelping] = useState(false);
  useEffect(() => forgetEarlyKeys, []);
  useLetters({ '?': () => setHelping(true) });
  const openCase = useCallback((id: string) => {
    setOpen(id);
    setLast(id);
  }, []);
  const casesOf = useCallback((who: Somebody) => {
    setWhose(who);
    setText('');
    setTab('all');
    setOpen(null);
  }, []);
  return (
    <section className="desk" aria-label="Desk">
      {open === null ? (
        <Queue looked={{ tab, text, whose, me: staff?.me ?? null }} last={last} onTab={setTab} onSearch={setText} onEverybody={() => setWhose(null)} onOpen={openCase} />
      ) : (
        <OpenCase key={open} id={open} staff={staff} onBack={() => setOpen(null)} onPerson={casesOf} />
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
