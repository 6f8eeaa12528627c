import { useMutation, useQuery, useSubscription } from '@apollo/client/react';
import { useState } from 'react';
import type { Line } from './live';
import { ApproveCaseDocument, CaseByNumberDocument, DeclineCaseDocument, FollowCaseDocument } from './generated/graphql';
import type { ApproveCaseMutation, CaseByNumberQuery } from './generated/graphql';

type Case = NonNullable<CaseByNumberQuery['refundCaseByNumber']>;
type Refusal = ApproveCaseMutation['approveRefund']['refusals'][number];

export function CasePage({ number, line }: { number: string; line: Line }) {
  // An update that comes while the case is read needs a reading of its own: the one under way may have been too early.
  const { data, error, refetch } = useQuery(CaseByNumberDocument, { variables: { number }, context: { queryDeduplication: false } });
  const id = data?.refundCaseByNumber?.id ?? '';
  // The first update is the case as it is when the stream begins: reading again then leaves no gap behind the query.
  // State and version of every update are in the cache already; actions, clocks and the history depend on more.
  const live = useSubscription(FollowCaseDocument, { variables: { id }, skip: !id, onData: () => void refetch() });

  const fault = error ?? live.error;
  if (!data) return <p role="alert">{fault?.message ?? 'Reading…'}</p>;
  const found = data.refundCaseByNumber;
  if (!found) return <p role="alert">There is no case {number} that you can see.</p>;
  return (
    <main>
      <h1>
        {found.number}: <output aria-label="State">{found.state}</output>
      </h1>
      <p>
        {found.requester.name} asks for {found.requestedAmount?.amount} {found.requestedAmount?.currencyCode}. Version{' '}
        <output aria-label="Version">{found.version}</output>, <output aria-label="Connection">{line}</output>
      </p>
      {fault && <p role="alert">{fault.message}</p>}
      <Actions found={found} />
      <Clocks clocks={found.clocks} />
      <History events={found.events.edges} />
    </main>
  );
}

/** What can be done, and what stands in the way of the rest, as the mutation itself would say it. */
function Actions({ found }: { found: Case }) {
  const [note, setNote] = useState('');
  const [refusals, setRefusals] = useState<Refusal[]>([]);
  const [approve, approving] = useMutation(ApproveCaseDocument);
  const [decline, declining] = useMutation(DeclineCaseDocument);
  // One press is one intent with one key, however often it has to be sent; the version is the one on the screen.
  const intent = () => ({ refundCaseId: found.id, expectedVersion: found.version, idempotencyKey: crypto.randomUUID() });
  const acts: Partial<Record<string, () => Promise<Refusal[] | undefined>>> = {
    APPROVE: async () => (await approve({ variables: { input: { ...intent(), note: note || null } } })).data?.approveRefund.refusals,
    DECLINE: async () => (await decline({ variables: { input: { ...intent(), message: note } } })).data?.declineRefund.refusals,
  };
  const fault = approving.error ?? declining.error;
  return (
    <section aria-label="Actions">
      <label>
        Note <input value={note} onChange={(event) => setNote(event.target.value)} />
      </label>
      <ul>
        {found.actions.map(({ name, enabled, blockers }) => {
          const act = acts[name];
          return (
            <li key={name}>
              <button disabled={!enabled || !act} onClick={() => void act?.().then((said) => setRefusals(said ?? []), () => setRefusals([]))}>
                {name}
              </button>{' '}
              {blockers.map(({ rule, message }) => `${message} ${rule ? `(${rule})` : ''}`).join(' ')}
            </li>
          );
        })}
      </ul>
      <ul aria-label="Refusals">
        {refusals.map(({ code, rule, message }) => (
          <li key={code}>
            {code}: {message} {rule && `(${rule})`}
          </li>
        ))}
      </ul>
      {fault && <p role="alert">{fault.message}</p>}
    </section>
  );
}

function Clocks({ clocks }: { clocks: Case['clocks'] }) {
  return (
    <ul aria-label="Clocks">
      {clocks.map(({ name, endsAt, whoseMove, whenItRunsOut }) => (
        <li key={name}>
          {name} until <time dateTime={endsAt}>{new Date(endsAt).toLocaleString()}</time> ({whoseMove}): {whenItRunsOut}
        </li>
      ))}
    </ul>
  );
}

function History({ events }: { events: Case['events']['edges'] }) {
  return (
    <ol aria-label="History">
      {events.map(({ node }) => (
        <li key={node.id} value={node.sequence}>
          {node.name} by {node.actor?.name ?? node.actorRole} {node.note && `: ${node.note}`}
        </li>
      ))}
    </ol>
  );
}
