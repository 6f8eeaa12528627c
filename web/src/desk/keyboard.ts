/** The desk's letters: heard everywhere on the page but where somebody writes, and kept until what they are about has come. */
import { useCallback, useLayoutEffect, useReducer, useRef } from 'react';

/** False where there was nothing to be done: what was pressed after it meant something else, too. */
export type Letters = Record<string, () => void | false>;

const WRITING = 'input:not([type=checkbox]), textarea, select, [contenteditable], .monaco-editor, .graphiql-editor, .result-window, [role=dialog], dialog[open]';

const isWriting = (target: Element | null): boolean => target?.closest(WRITING) != null;

/** Pressed before there was anything to act on, in their order; one page of the desk leaves them to the next. */
let early: string[] = [];
export const forgetEarlyKeys = (): void => void (early = []);
// Whoever takes the mouse goes by what is there.
document.addEventListener('pointerdown', forgetEarlyKeys);

/** Give something that has just come the focus, unless somebody writes: what they type must not become acts at the desk. */
export function focusUnlessWriting(element: HTMLElement | null | undefined): void {
  if (!isWriting(document.activeElement)) element?.focus({ preventScroll: true });
}

/**
 * Hear letters: some do at once what they do, `about` acts on what is shown and waits until that is `there`.
 *
 * Returns what presses a key of `about` for the page itself.
 */
export function useLetters(atOnce: Letters, about?: Letters, there = true): (key: string) => void {
  const latest = useRef({ atOnce, about, there });
  const [, lookAgain] = useReducer((looks: number) => looks + 1, 0);
  const drawing = useRef(false);
  useLayoutEffect(() => {
    latest.current = { atOnce, about, there };
    if (!about || !there || early.length === 0 || drawing.current) return;
    if (isWriting(document.activeElement)) {
      document.execCommand('insertText', false, early.filter((key) => key.length === 1).join(''));
      forgetEarlyKeys();
      return;
    }
    // One at a time: each acts on what the one before it has made of the page.
    drawing.current = true;
    const act = about[early.shift()!];
    if (!act || act() === false) forgetEarlyKeys();
    queueMicrotask(() => {
      drawing.current = false;
      lookAgain();
    });
  });
  useLayoutEffect(() => {
    const hear = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      // A dialog that has just been closed keeps the focus until the page is drawn; keys pressed meanwhile are the desk's.
      if (isWriting(target)) return;
      const { atOnce, about, there } = latest.current;
      const waits = about !== undefined && (!there || early.length > 0);
      // Enter on a button is that button's.
      if (event.key === 'Enter' && target.closest('button, a, input') && !(waits && early.length > 0)) return;
      const act = atOnce[event.key];
      if (act) {
        forgetEarlyKeys();
        act();
      } else if (waits && (about[event.key] || (early.length > 0 && event.key.length === 1))) early.push(event.key);
      else if (about?.[event.key]) about[event.key]!();
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', hear);
    return () => document.removeEventListener('keydown', hear);
  }, []);
  return useCallback((key) => {
    early.push(key);
    lookAgain();
  }, []);
}
