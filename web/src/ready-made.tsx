/** The side panel of ready-made operations: one click opens one in a tab of its own. */
import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useSyncExternalStore } from 'react';
import { ListIcon } from './icons';
import { useOpenOperation } from './open-operation';
import { operationsFor, type ReadyOperation, readyOperations, variablesOf } from './ready';
import { getSession, getToken, subscribeSession } from './session';

export const readyMadePlugin: GraphiQLPlugin = {
  title: 'Ready-made operations',
  icon: () => <ListIcon />,
  content: ReadyMade,
};

function ReadyMade() {
  const { changeTab } = useGraphiQLActions();
  const tabs = useGraphiQL((store) => store.tabs);
  const openOperation = useOpenOperation();
  const session = useSyncExternalStore(subscribeSession, getSession);
  const person = session.state === 'signed-in' ? session.person : null;
  const mine = operationsFor(person);
  const others = readyOperations.filter((one) => !mine.includes(one));

  const open = async ({ name, query }: ReadyOperation) => {
    const opened = tabs.findIndex((tab) => tab.title === name);
    if (opened >= 0) changeTab(opened);
    else await openOperation(name, query, (await variablesOf(name, person, getToken())) ?? '{}');
  };

  return (
    <section className="ready-made" aria-label="Ready-made operations">
      <Group title={person ? `For ${person.name}` : 'For everybody'} operations={mine} onOpen={open} />
      <Group title="For others" operations={others} onOpen={open} />
    </section>
  );
}

type GroupProps = { title: string; operations: ReadyOperation[]; onOpen: (operation: ReadyOperation) => Promise<void> };

function Group({ title, operations, onOpen }: GroupProps) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul>
        {operations.map((operation) => (
          <li key={operation.name}>
            <button type="button" onClick={() => void onOpen(operation)}>
              <strong>{operation.name}</strong>
              <span>
                {operation.about} {title === 'For others' && <em>{operation.roles.join(', ').toLowerCase()}</em>}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
