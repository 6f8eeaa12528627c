/** One act before it is done: what it will do, what it needs to be told, and the press that writes and runs it. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { Act, Field, Values } from './acts';
import { Preview } from './preview';
import { type Case } from './words';

type Props = { act: Act; one: Case; busy: boolean; onDo: (values: Values) => void; onLeave: () => void };

export function ActForm({ act, one, busy, onDo, onLeave }: Props) {
  const fields = act.fields(one);
  const [values, setValues] = useState<Values>(() => Object.fromEntries(fields.map((field) => [field.name, field.initial ?? ''])));
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('input, textarea, select, button[type=submit]')?.focus();
    form.current?.scrollIntoView({ block: 'nearest' });
  }, []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && form.current?.reportValidity()) onDo(values);
  };
  return (
    <form
      ref={form}
      className="desk-form"
      aria-label={`${act.label} ${one.number}`}
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === 'Escape') onLeave();
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event);
      }}
    >
      <h2>
        {act.label} {one.number}
      </h2>
      {fields.map((field) => (
        <FieldRow key={field.name} field={field} value={values[field.name] ?? ''} onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))} />
      ))}
      <p className="desk-consequence" role="status">
        {act.consequence(one, values)}
      </p>
      {act.decides && <Preview one={one} decision={act.decides} amount={values.amount} />}
      <div className="buttons">
        <button type="button" className="quiet" onClick={onLeave}>
          Not now
        </button>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? 'Asking the server…' : act.label}
        </button>
      </div>
    </form>
  );
}

function FieldRow({ field, value, onChange }: { field: Field; value: string; onChange: (value: string) => void }) {
  const id = `desk-${field.name}`;
  const shared = { id, value, required: field.required, 'aria-describedby': field.help ? `${id}-help` : undefined };
  return (
    <div className="desk-field">
      <label htmlFor={id}>
        {field.label}
        {!field.required && <small> (may be empty)</small>}
      </label>
      {field.kind === 'amount' ? (
        <input {...shared} inputMode="decimal" autoComplete="off" pattern="[0-9]+([.][0-9]+)?" title="A number such as 12.50" onChange={(event) => onChange(event.target.value)} />
      ) : field.kind === 'days' ? (
        <input {...shared} type="number" min={1} max={14} onChange={(event) => onChange(event.target.value)} />
      ) : field.kind === 'party' ? (
        <select {...shared} onChange={(event) => onChange(event.target.value)}>
          <option value="REQUESTER">The requester</option>
          <option value="COUNTERPARTY">The other side</option>
        </select>
      ) : field.kind === 'audience' ? (
        <select {...shared} onChange={(event) => onChange(event.target.value)}>
          <option value="INTERNAL">Staff only</option>
          <option value="REQUESTER_AND_SUPPORT">The requester</option>
          <option value="COUNTERPARTY_AND_SUPPORT">The other side</option>
          <option value="EVERYONE">Everyone</option>
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
