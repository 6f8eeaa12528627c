/** Several cases decided at once: what it will do to each, what it needs to be told, and the press that does it. */
import { useEffect, useState } from 'react';
import type { DecideManyMutationVariables } from '../generated/graphql';
import type { Field, Values } from './acts';
import { ActFrame, FieldRow } from './act-form';
import { foretell } from './preview';
import { about, money, type Row } from './words';

type Decision = 'APPROVE' | 'DECLINE';
/** What makes the decisions' variables, with the key of the press. */
export type Decisions = (key: string) => DecideManyMutationVariables;
type Props = { decision: Decision; cases: Row[]; busy: boolean; onDo: (decisions: Decisions) => void; onLeave: () => void };

const FIELDS: Record<Decision, Field[]> = {
  APPROVE: [{ name: 'note', label: 'A word for the parties', kind: 'text', required: false }],
  DECLINE: [
    { name: 'message', label: 'Message to each requester', kind: 'text', required: true, help: 'They read it as it stands here.' },
    { name: 'internalNote', label: 'Note for staff', kind: 'text', required: false },
  ],
};

export function Bulk({ decision, cases, busy, onDo, onLeave }: Props) {
  const [values, setValues] = useState<Values>({});
  const foretold = useForetold(decision, cases);
  const label = decision === 'APPROVE' ? 'Approve' : 'Decline';
  const title = `${label} ${cases.length} ${cases.length === 1 ? 'case' : 'cases'}`;
  const perform = () => {
    const words = Object.fromEntries(FIELDS[decision].map(({ name }) => [name, values[name]?.trim() || undefined]));
    const decisions = cases.map(({ id, version }) => ({ refundCaseId: id, decision, expectedVersion: version, ...words }));
    onDo((key) => ({ input: { decisions, idempotencyKey: key } }));
  };
  return (
    <ActFrame title={title} label={label} busy={busy} onDo={perform} onLeave={onLeave}>
      {FIELDS[decision].map((field) => (
        <FieldRow key={field.name} field={field} value={values[field.name] ?? ''} onChange={(value) => setValues((before) => ({ ...before, [field.name]: value }))} />
      ))}
      <ul className="desk-preview" aria-label="What it will do">
        {cases.map((one) => (
          <li key={one.id}>
            <strong>{one.number}</strong> {about(one.subject)}, {one.requester.name}: {foretold[one.id] ?? '…'}
          </li>
        ))}
      </ul>
    </ActFrame>
  );
}

/** What the server foretells of each, in a few words. */
function useForetold(decision: Decision, cases: Row[]): Record<string, string> {
  const [foretold, setForetold] = useState<Record<string, string>>({});
  useEffect(() => {
    let current = true;
    for (const one of cases) {
      void foretell({ refundCaseId: one.id, decision }).then(
        ({ allowed, needsConfirmation, blockers }) => {
          const does = decision === 'APPROVE' ? `${money(one.requestedAmount)} credited` : 'declined';
          const said = !allowed ? blockers.map(({ message }) => message).join(' ') : needsConfirmation ? 'proposed, a colleague has to confirm it' : does;
          if (current) setForetold((before) => ({ ...before, [one.id]: said }));
        },
        () => {}, // the decision itself will tell
      );
    }
    return () => {
      current = false;
    };
  }, [decision, cases]);
  return foretold;
}
