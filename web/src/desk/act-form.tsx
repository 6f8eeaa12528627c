/** One act before it is done: what it will do, what it needs to be told, and the press that writes and runs it. */
import { type FormEvent, type KeyboardEvent, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import type { Act, Field, Staff, Values } from './acts';
import { focusUnlessWriting } from './keyboard';
import { Preview } from './preview';
import { type Case } from './words';

type Props = { act: Act; one: Case; staff: Staff; busy: boolean; onDo: (values: Values) => void; onLeave: () => void };

export function ActForm({ act, one, staff, busy, onDo, onLeave }: Props) {
  const fields = act.fields(one, staff);
  const [values, setValues] = useState<Values>(() => Object.fromEntries(fields.map((field) => [field.name, field.initial ?? ''])));
  return (
    <ActFrame title={`${act.label} ${one.number}`} label={act.label} busy={busy} onDo={() => onDo(values)} onLeave={onLeave}>
      {fields.map((field) => (
        <FieldRow key={field.name} field={field} value={values[field.name] ?? ''} onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))} />
      ))}
      <p className="desk-consequence" role="status">
        {act.consequence(one, values, staff)}
      </p>
      {act.decides && <Preview one={one} decision={act.decides} amount={values.amount} rest={values.rest} />}
    </ActFrame>
  );
}

type FrameProps = { title: string; label: string; busy: boolean; onDo: () => void; onLeave: () => void; children: ReactNode };

/** The frame of a form at the desk: Ctrl+Enter does it, Esc leaves it; what is on its way cannot be left. */
export function ActFrame({ title, label, busy, onDo, onLeave, children }: FrameProps) {
  const form = useRef<HTMLFormElement>(null);
  const field = useRef<HTMLElement | null>(null);
  // Before anything else is pressed: what is typed from now on belongs into the form, and meanwhile to what comes after it.
  useLayoutEffect(() => {
    if (busy) (document.activeElement as HTMLElement | null)?.blur();
    else focusUnlessWriting(field.current ?? form.current?.querySelector<HTMLElement>('input, textarea, select, button[type=submit]'));
  }, [busy]);
  useLayoutEffect(() => {
    form.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const submit = (event: FormEvent | KeyboardEvent) => {
    event.preventDefault();
    if (!busy && form.current?.reportValidity()) onDo();
  };
  return (
    <form
      ref={form}
      className="desk-form"
      aria-label={title}
      onSubmit={submit}
      onFocus={(event) => (field.current = event.target)}
      onKeyDown={(event) => {
        if (event.key === 'Escape') {
          event.preventDefault(); // the page below would go back to the list
          onLeave();
        }
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event);
      }}
    >
      <h2>{title}</h2>
      <fieldset disabled={busy}>
        {children}
        <div className="buttons">
          <button type="button" className="quiet" onClick={onLeave}>
            Not now
          </button>
          <button type="submit" className="primary">
            {busy ? 'Asking the server…' : label}
          </button>
        </div>
      </fieldset>
    </form>
  );
}

export function FieldRow({ field, value, onChange }: { field: Field; value: string; onChange: (value: string) => void }) {
  const id = `desk-${field.name}`;
  const shared = { id, value, required: field.required, 'aria-describedby': field.help ? `${id}-help` : undefined };
  return (
    <div className="desk-field">
      <label htmlFor={id}>
        {field.label}
        {!field.required && field.kind !== 'choice' && <small> (may be empty)</small>}
      </label>
      {field.kind === 'amount' ? (
        <input {...shared} inputMode="decimal" autoComplete="off" pattern="[0-9]+([.][0-9]+)?" title="A number such as 12.50" onChange={(event) => onChange(event.target.value)} />
      ) : field.kind === 'days' ? (
        <input {...shared} type="number" min={1} max={14} onChange={(event) => onChange(event.target.value)} />
      ) : field.kind === 'choice' ? (
        <select {...shared} onChange={(event) => onChange(event.target.value)}>
          {field.choices?.map(([choice, label]) => (
            <option key={choice} value={choice}>
              {label}
            </option>
          ))}
        </select>
      ) : (
        <textarea {...shared} rows={3} onChange={(event) => onChange(event.target.value)} />
      )}
      {field.help && (
        <small id={`${id}-help`} className="help">
          {field.help}
        </small>
      )}
    </div>
  );
}
