/** The search field: asked as one types, and out of it with Enter, into the first case that was found. */
import { type RefObject, useEffect, useState } from 'react';

const TYPING_MS = 250;

type Props = { field: RefObject<HTMLInputElement | null>; text: string; onSearch: (text: string) => void; onDone: () => void };

export function Search({ field, text, onSearch, onDone }: Props) {
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed === text) return;
    const timer = window.setTimeout(() => onSearch(typed), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [typed, text, onSearch]);
  return (
    <input
      ref={field}
      type="search"
      className="desk-search"
      aria-label="Search cases"
      placeholder="Number, name, reference, invoice…  /"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== 'Escape') return;
        // Out of the field, and to the first case as soon as the list is there: a button that has the focus by then would
        // take the rest of this key for a press, and open it.
        event.preventDefault();
        event.currentTarget.blur();
        onSearch(typed);
        onDone();
      }}
    />
  );
}
