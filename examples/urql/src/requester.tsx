import { useState } from 'react';
import { useMutation, useQuery, useSubscription } from 'urql';
import { FollowMineDocument, MyLeadsDocument, ReportLeadDocument } from './generated/graphql';
import type { MyLeadsQuery, ReportLeadMutation } from './generated/graphql';

type Lead = MyLeadsQuery['leads']['edges'][number]['node'];
type Refusal = ReportLeadMutation['requestLeadRefund']['refusals'][number];

/** What a professional has bought, each with its refund, and every change as it happens. */
export function Requester() {
  const [{ data, error }, reread] = useQuery({ query: MyLeadsDocument, variables: { first: 100 } });
  const [live] = useSubscription({ query: FollowMineDocument }, (told: string[] = [], update) => {
    // State and version are in the cache by the case's id; which acts are open depends on more.
    reread({ requestPolicy: 'network-only' });
    const { event, refundCase } = update.viewerRefundUpdates;
    return [`${refundCase.number}: ${event?.name ?? refundCase.state}`, ...told].slice(0, 50);
  });
  const fault = error ?? live.error;
  return (
    <main>
      {fault && <p role="alert">{fault.message}</p>}
      <ul aria-label="Leads">
        {data?.leads.edges.map(({ node }) => (
          <li key={node.id}>
            <b>{node.title}</b> for {node.price.amount} {node.price.currencyCode}{' '}
            {node.refundCase ? <output>{`${node.refundCase.number}: ${node.refundCase.state}`}</output> : <Report lead={node} />}
          </li>
        ))}
      </ul>
      <ol aria-label="What happened" reversed>
        {live.data?.map((line, place) => <li key={`${live.data!.length - place}`}>{line}</li>)}
      </ol>
    </main>
  );
}

/** The Report button of a lead: always there, and where it is closed it says why. */
function Report({ lead }: { lead: Lead }) {
  const [refusals, setRefusals] = useState<Refusal[]>([]);
  const [{ fetching, error }, report] = useMutation(ReportLeadDocument);
  const { enabled, blockers } = lead.refundAction;
  async function send(form: FormData) {
    const given = { reason: 'OTHER', explanation: String(form.get('explanation')), idempotencyKey: crypto.randomUUID() } as const;
    const { data } = await report({ input: { leadId: lead.id, ...given } });
    setRefusals(data?.requestLeadRefund.refusals ?? []);
  }
  return (
    <form action={send}>
      <label>
        What is wrong with it? <input name="explanation" />
      </label>{' '}
      <button disabled={!enabled || fetching}>Report</button>{' '}
      {[...blockers, ...refusals].map(({ code, message, rule }) => (
        <span role="note" key={code}>
          {code}: {message} {rule && `(${rule})`}
        </span>
      ))}
      {error && <p role="alert">{error.message}</p>}
    </form>
  );
}
