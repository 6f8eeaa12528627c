/** The desk's keys, in a dialog. */
import { useEffect, useRef } from 'react';
import { acts } from './acts';

const KEYS: [string, string][] = [
  ['j, ↓', 'next case'],
  ['k, ↑', 'previous case'],
  ['Enter', 'open the case'],
  ['Esc', 'back to the list; out of a form'],
  ['/', 'search'],
  ['1 … 5', 'waiting, mine, unread, late, all'],
  ['x', 'select the case, to decide several at once with a or d'],
  ...acts.map(({ letter, label }): [string, string] => [letter, `${label.toLowerCase()} (in a case)`]),
  ['Ctrl+Enter', 'do it (in a form)'],
  ['?', 'this list'],
];

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current!;
    if (open && !element.open) element.showModal();
    else if (!open && element.open) element.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="sign-in desk-help" aria-labelledby="desk-help-title" onClose={onClose}>
      <h2 id="desk-help-title">Keys of the desk</h2>
      <dl>
        {KEYS.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <div className="buttons">
        <button type="button" className="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </dialog>
  );
}
