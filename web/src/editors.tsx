/** What GraphiQL's editors lack for our work: whole ids under a double click, and a way out for the keyboard. */
import { useGraphiQL, useMonaco } from '@graphiql/react';
import { useEffect } from 'react';

/** Ids and numbers such as RC-000012 are one word; everything else parts words, as Monaco has it. */
const WORD_SEPARATORS = '`~!@#$%^&*()=+[{]}\\|;:\'",.<>/?';
const LEAVES = 'Enter to edit; Escape and then Tab to leave';
/** What Escape closes first. */
const OPEN_WIDGETS = '.suggest-widget.visible, .find-widget.visible, .parameter-hints-widget.visible, .zone-widget';

type Rewrite = (text: string) => string;
let rewriteVariables: (rewrite: Rewrite) => void = () => {};

/** Change what stands in the variables pane, where it is open. */
export const writeVariables = (rewrite: Rewrite): void => rewriteVariables(rewrite);

export function EditorManners() {
  const monaco = useMonaco((state) => state.monaco);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const responseEditor = useGraphiQL((state) => state.responseEditor);

  useEffect(() => {
    if (!monaco) return;
    const listening = [queryEditor, variableEditor, headerEditor, responseEditor].flatMap((editor) => {
      if (!editor) return [];
      // Beside the desk a pane is half as wide as its lines, and on a phone too.
      editor.updateOptions({ wordSeparators: WORD_SEPARATORS, wordWrap: 'on' });
      const frame = editor.getContainerDomNode();
      frame.title = LEAVES;
      return editor.onKeyDown((event) => {
        const isFree = editor.getSelections()?.every((one) => one.isEmpty()) && !frame.querySelector(OPEN_WIDGETS);
        // The frame takes the focus from the text, and Tab goes on from there instead of writing one.
        if (event.keyCode === monaco.KeyCode.Escape && isFree) frame.focus();
      });
    });
    return () => listening.forEach((one) => one.dispose());
  }, [monaco, queryEditor, variableEditor, headerEditor, responseEditor]);

  useEffect(() => {
    rewriteVariables = (rewrite) => variableEditor?.setValue(rewrite(variableEditor.getValue()));
    return () => {
      rewriteVariables = () => {};
    };
  }, [variableEditor]);
  return null;
}
