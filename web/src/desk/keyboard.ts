/** The desk's letters: heard everywhere on the page but where somebody writes. */
import { useEffect, useRef } from 'react';

export type Letters = Record<string, () => void>;

const WRITING = 'input:not([type=checkbox]), textarea, select, [contenteditable], .monaco-editor, .graphiql-editor, .result-window, [role=dialog], dialog[open]';

const isWriting = (target: Element | null): boolean => target?.closest(WRITING) != null;

/** Give something that has just come the focus, unless somebody writes: what they type must not become acts at the desk. */
export function focusUnlessWriting(element: HTMLElement | null | undefined): void {
  if (!isWriting(document.activeElement)) element?.focus({ preventScroll: true });
}

export function useLetters(letters: Letters): void {
  const latest = useRef(letters);
  latest.current = letters;
  useEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      // A dialog that has just been closed keeps the focus until the page is drawn; keys pressed meanwhile are the desk's.
      if (isWriting(target)) return;
      const act = latest.current[event.key];
      // Enter on a button is that button's.
      if (!act || (event.key === 'Enter' && target.closest('button, a, input'))) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', hear);
    return () => document.removeEventListener('keydown', hear);
  }, []);
}
