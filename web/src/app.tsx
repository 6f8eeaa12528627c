/** The page: our header, GraphiQL below it, the sign-in dialog over both. */
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { ToolbarButton, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { editorStorage } from './editor-storage';
import { fetcher } from './fetcher';
import { Header } from './header';
import { KeyIcon } from './icons';
import { readyMadePlugin } from './ready-made';
import { getSession, signOut, subscribeSession } from './session';
import { SignInDialog } from './sign-in';
import { freshKey, readyTabs } from './tabs';
import { getTheme, subscribeTheme } from './theme';

const plugins = [readyMadePlugin, explorerPlugin({ showAttribution: false })];
const defaultTabs = readyTabs();
// GraphiQL fills its editors from its storage, not from the first of the default tabs.
if (sessionStorage.getItem('graphiql:tabState') === null) {
  sessionStorage.setItem('graphiql:query', defaultTabs[0]!.query);
  sessionStorage.setItem('graphiql:variables', defaultTabs[0]!.variables);
}

export function App() {
  const session = useSyncExternalStore(subscribeSession, getSession);
  const theme = useSyncExternalStore(subscribeTheme, getTheme);
  const [signingIn, setSigningIn] = useState(session.state === 'signed-out' && session.notice === null);

  return (
    <div className="page">
      <Header session={session} theme={theme} onSignIn={() => setSigningIn(true)} onSignOut={() => signOut()} />
      <div className="notice" role="status">
        {session.state === 'signed-out' && session.notice !== null && (
          <p>
            {session.notice} <button type="button" className="link" onClick={() => setSigningIn(true)}>Sign in again</button>
          </p>
        )}
      </div>
      <main className="workbench" aria-label="GraphiQL">
        <GraphiQL
          fetcher={fetcher}
          plugins={plugins}
          referencePlugin={DOC_EXPLORER_PLUGIN}
          defaultTabs={defaultTabs}
          // Edits live as long as this browser tab, for variables may name people.
          storage={editorStorage}
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
          <ActiveTabInView />
          <PersonChange token={session.state === 'signed-in' ? session.token : null} />
        </GraphiQL>
      </main>
      <SignInDialog open={signingIn} onClose={() => setSigningIn(false)} />
    </div>
  );
}

/** What one person saw must not stay on the screen for the next: stop the stream and empty every response. */
function PersonChange({ token }: { token: string | null }) {
  const { stop, moveTab, updateActiveTabValues, introspect } = useGraphiQLActions();
  const state = useGraphiQL((store) => store);
  const latest = useRef(state);
  latest.current = state;
  const before = useRef(token);

  useEffect(() => {
    if (before.current === token) return;
    const previous = before.current;
    before.current = token;
    if (latest.current.schema == null) void introspect();
    if (previous === null) return;
    stop();
    const { tabs, activeTabIndex, responseEditor } = latest.current;
    moveTab(tabs.map((tab, index) => (index === activeTabIndex ? tab : { ...tab, response: null })));
    updateActiveTabValues({ response: null });
    responseEditor?.setValue('');
  }, [token, stop, moveTab, updateActiveTabValues, introspect]);
  return null;
}

/** With many tabs open the strip scrolls; the one just opened must be seen. */
function ActiveTabInView() {
  const { activeTabIndex, tabs } = useGraphiQL((store) => store);
  useEffect(() => {
    document.getElementById(`graphiql-session-tab-${activeTabIndex}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [activeTabIndex, tabs.length]);
  return null;
}

/** Put a new idempotency key into the variables: each new act needs one of its own. */
function FreshKeyButton() {
  const variableEditor = useGraphiQL((store) => store.variableEditor);
  const refresh = () => {
    const text = variableEditor?.getValue() ?? '';
    const renewed = text.replace(/("idempotencyKey"\s*:\s*)(?:"[^"]*"|null)/g, `$1"${freshKey()}"`);
    if (renewed !== text) variableEditor?.setValue(renewed);
  };
  return (
    <ToolbarButton onClick={refresh} label="New idempotency key in the variables">
      <KeyIcon className="graphiql-toolbar-icon" />
    </ToolbarButton>
  );
}
