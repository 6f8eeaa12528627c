/** Write an operation into a tab of GraphiQL: the one of its name where it is open, else a new one. */
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useCallback, useRef } from 'react';

export function useOpenOperation(): (name: string, query: string, variables: string) => void {
  const { addTab, changeTab } = useGraphiQLActions();
  const state = useGraphiQL((store) => store);
  const latest = useRef(state);
  latest.current = state;
  return useCallback(
    (name, query, variables) => {
      const { tabs, activeTabIndex, queryEditor, variableEditor } = latest.current;
      const open = tabs.findIndex((tab) => tab.title === name);
      if (open < 0) addTab();
      else if (open !== activeTabIndex) changeTab(open);
      queryEditor?.setValue(query);
      variableEditor?.setValue(variables);
    },
    [addTab, changeTab],
  );
}
