/** GraphiQL for one person: its storage, its tabs, its plugins, and what we add to its manners. */
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { ToolbarButton, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react';
import { deskPlugin } from './desk/plugin';
import { editorStorage } from './editor-storage';
import { EditorManners, writeVariables } from './editors';
import { noteTabs, runsBehind } from './feeds';
import { fetcher } from './fetcher';
import { KeyIcon } from './icons';
import { freshKey } from './keys';
import { asText } from './ready';
import { readyMadePlugin } from './ready-made';
import type { Person } from './session';
import type { Theme } from './theme';

export type FirstTab = { query: string; variables: string };
type Props = { who: string; person: Person | null; firstTabs: FirstTab[]; theme: Theme };

const others = [readyMadePlugin, explorerPlugin({ showAttribution: false })];
/** How wide a panel is against the editors. */
const HALF = '1';
const THIRD = '0.5';
const STAFF = ['SUPPORT', 'ADMIN'];

export function Workbench({ who, person, firstTabs, theme }: Props) {
  const isStaff = person?.roles.some((role) => STAFF.includes(role)) ?? false;
  const storage = useMemo(() => {
    const kept = editorStorage(who);
    const [first] = firstTabs;
    if (first) {
      // GraphiQL fills its editors from its storage, not from the first of the default tabs.
      kept.setItem('graphiql:query', first.query);
      kept.setItem('graphiql:variables', first.variables);
      // Whoever reloads before GraphiQL has kept the tabs keeps the panel they chose all the same.
      if (isStaff && kept.getItem('graphiql:visiblePlugin') === null) {
        kept.setItem('graphiql:visiblePlugin', deskPlugin.title);
        kept.setItem('graphiql:docExplorerFlex', HALF);
      }
    }
    return kept;
  }, [who, firstTabs, isStaff]);
  const plugins = useMemo(() => (isStaff ? [deskPlugin, ...others] : others), [isStaff]);

  // Editors keep their texts by name; the next person's must not begin with these.
  useEffect(() => () => globalThis.__MONACO?.editor.getModels().forEach((model) => model.dispose()), []);

  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={plugins}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultTabs={firstTabs.length > 0 ? firstTabs : undefined}
      storage={storage}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
      defaultEditorToolsVisibility="variables"
      inputValueDeprecation
      schemaDescription
      forcedTheme={theme}
    >
      <GraphiQL.Logo>
        <span hidden />
      </GraphiQL.Logo>
      <GraphiQL.Toolbar>
        {({ prettify, merge, copy }) => (
          <>
            {prettify}
            {merge}
            {copy}
            <FreshKeyButton />
          </>
        )}
      </GraphiQL.Toolbar>
      <TabManners />
      <EditorManners />
      <PanelWidth />
    </GraphiQL>
  );
}

/** The tab just opened is seen in its strip, and what ran on or was answered behind it is shown. */
function TabManners() {
  const { run, updateActiveTabValues } = useGraphiQLActions();
  const { activeTabIndex, tabs, responseEditor } = useGraphiQL((store) => store);
  const active = tabs[activeTabIndex]?.id ?? '';
  const open = tabs.map(({ id }) => id).join(' ');
  useLayoutEffect(() => {
    noteTabs(active, open.split(' '), (answer) => {
      const response = asText(answer);
      responseEditor?.setValue(response);
      updateActiveTabValues({ response });
    });
  }, [active, open, responseEditor, updateActiveTabValues]);
  useEffect(() => {
    document.getElementById(`graphiql-session-tab-${activeTabIndex}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (runsBehind(active)) void run();
  }, [active, activeTabIndex, run]);
  return null;
}

/** The desk takes half of the page, every other panel a third; whoever drags the bar is not corrected. */
function PanelWidth() {
  const title = useGraphiQL((store) => store.visiblePlugin?.title);
  const storage = useGraphiQL((store) => store.storage);
  const before = useRef(title); // as it was left, or as it is set at first
  useEffect(() => {
    if (title === before.current) return;
    before.current = title;
    const panel = document.querySelector<HTMLElement>('.graphiql-plugin');
    if (panel && title) {
      const flex = title === deskPlugin.title ? HALF : THIRD;
      panel.style.flex = flex;
      storage.set('docExplorerFlex', flex); // a panel that was hidden is given the width that is kept
      // GraphiQL looks for the panel it kept before it has read which one that is, and hides it.
      panel.style.position = panel.style.left = panel.style.opacity = '';
    }
  }, [title, storage]);
  return null;
}

/** Put a new idempotency key into the variables; one that has been answered is renewed by itself. */
function FreshKeyButton() {
  const refresh = () => writeVariables((text) => text.replace(/("idempotencyKey"\s*:\s*)(?:"[^"]*"|null)/g, `$1"${freshKey()}"`));
  return (
    <ToolbarButton onClick={refresh} label="New idempotency key in the variables">
      <KeyIcon className="graphiql-toolbar-icon" />
    </ToolbarButton>
  );
}
