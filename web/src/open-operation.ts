/** Write an operation into a tab of GraphiQL: the one of its name where it is open, else a new one. */
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useCallback, useEffect, useRef } from 'react';

/** Return what writes an operation into its tab, as soon as the editors are there. */
export function useOpenOperation(): (name: string, query: string, variables: string) => Promise<void> {
  const { addTab, changeTab, stop } = useGraphiQLActions();
  const state = useGraphiQL((store) => store);
  const latest = useRef(state);
  latest.current = state;
  const waiting = useRef(new Set<() => void>());
  useEffect(() => waiting.current.forEach((go) => go()));
  return useCallback(
    async (name, query, variables) => {
      // A press before that would be written nowhere, and run nothing.
      while (!(latest.current.queryEditor && latest.current.variableEditor && latest.current.responseEditor)) {
        await new Promise<void>((resolve) => waiting.current.add(resolve));
      }
      const { tabs, activeTabIndex, queryEditor, variableEditor } = latest.current;
      stop(); // GraphiQL takes the next press for a stop of the stream that the tab before shows
      const open = tabs.findIndex((tab) => tab.title === name);
      if (open < 0) addTab();
      else if (open !== activeTabIndex) changeTab(open);
      queryEditor.setValue(query);
      variableEditor.setValue(variables);
    },
    [addTab, changeTab, stop],
  );
}
