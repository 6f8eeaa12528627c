/** The side panel of ready-made operations: one click opens one in a tab of its own. */
import { type GraphiQLPlugin, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useSyncExternalStore } from 'react';
import { ListIcon } from './icons';
import { getSession, subscribeSession } from './session';
import { asText, type ReadyOperation, readyGroups } from './tabs';

export const readyMadePlugin: GraphiQLPlugin = {
  title: 'Ready-made operations',
  icon: () => <ListIcon />,
  content: ReadyMade,
};

function ReadyMade() {
  const { addTab, changeTab } = useGraphiQLActions();
  const { tabs, queryEditor, variableEditor } = useGraphiQL((store) => store);
  const session = useSyncExternalStore(subscribeSession, getSession);
  const roles = session.state === 'signed-in' ? (session.person?.roles ?? []) : [];
  // The signed-in person's own operations first; the order is stable otherwise.
  const groups = readyGroups.toSorted((one, other) => rank(one.roles, roles) - rank(other.roles, roles));

  const open = ({ name, query, variables }: ReadyOperation) => {
    const opened = tabs.findIndex((tab) => tab.title === name);
    if (opened >= 0) {
      changeTab(opened);
      return;
    }
    addTab();
    queryEditor?.setValue(query);
    variableEditor?.setValue(asText(variables()));
  };

  return (
    <section className="ready-made" aria-label="Ready-made operations">
      <div className="graphiql-doc-explorer-title">Ready-made</div>
      {groups.map(({ title, operations }) => (
        <section key={title} aria-label={title}>
          <h3>{title}</h3>
          <ul>
            {operations.map((operation) => (
              <li key={operation.name}>
                <button type="button" onClick={() => open(operation)}>
                  <strong>{operation.name}</strong>
                  <span>{operation.about}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </section>
  );
}

function rank(group: string[], person: string[]): number {
  return group.some((role) => person.includes(role)) ? 0 : 1;
}
