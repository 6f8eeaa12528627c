import { commitMutation, fetchQuery, getSingularSelector, requestSubscription } from 'relay-runtime';
import approveMutation, { type casePageApproveMutation } from './__generated__/casePageApproveMutation.graphql';
import pageQuery, { type casePageQuery } from './__generated__/casePageQuery.graphql';
import refusalFragment, { type casePage_refusal$data, type casePage_refusal$key } from './__generated__/casePage_refusal.graphql';
import rowFragment, { type casePage_row$data, type casePage_row$key } from './__generated__/casePage_row.graphql';
import subscription, { type casePageSubscription } from './__generated__/casePageSubscription.graphql';
import { openDesk } from './environment';
import { SignedOut } from './token';

const at = (selector: string) => document.querySelector<HTMLElement>(selector)!;

document.querySelector('form')!.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement);
  const tokens = String(form.get('tokens')).split(/\s+/).filter(Boolean);
  // Stands for your identity provider: the next token each time one has run out.
  const renew = async () => {
    const next = tokens.shift();
    if (next === undefined) throw new SignedOut();
    return next;
  };
  show(String(form.get('url')), String(form.get('id')), renew);
});

function show(url: string, id: string, renew: () => Promise<string>) {
  const { environment } = openDesk(url, renew, (line) => (at('#line').textContent = line));
  const fail = (fault: Error) => {
    at('[role=alert]').hidden = false;
    at('[role=alert]').textContent = fault.message;
  };
  let version: number | undefined;
  function display(key: casePage_row$key) {
    const row = environment.lookup(getSingularSelector(rowFragment, key)!).data as unknown as casePage_row$data;
    at('#number').textContent = row.number;
    at('#state').textContent = row.state;
    version = row.version;
  }
  at('main').hidden = false;
  fetchQuery<casePageQuery>(environment, pageQuery, { id }).subscribe({
    next: ({ refundCase }) => refundCase && display(refundCase),
    error: fail,
  });
  requestSubscription<casePageSubscription>(environment, {
    subscription,
    variables: { id },
    onNext: (update) => {
      if (!update) return;
      const { event, refundCase } = update.refundCaseUpdates;
      display(refundCase);
      if (!event) return; // the case as it is when the stream begins
      const item = Object.assign(document.createElement('li'), { value: event.sequence, textContent: event.name });
      at('[aria-label=History]').append(item);
    },
    onError: fail,
  });
  at('#approve').onclick = () => {
    // One press is one intent with one key, however often it has to be sent; the version is the one on the screen.
    const input = { refundCaseId: id, expectedVersion: version ?? null, idempotencyKey: crypto.randomUUID() };
    commitMutation<casePageApproveMutation>(environment, {
      mutation: approveMutation,
      variables: { input, connections: [] },
      onCompleted: ({ approveRefund }) => {
        if (approveRefund.refundCase) display(approveRefund.refundCase);
        const said = approveRefund.refusals.map((key: casePage_refusal$key) => {
          const { code, message } = environment.lookup(getSingularSelector(refusalFragment, key)!).data as unknown as casePage_refusal$data;
          return Object.assign(document.createElement('li'), { textContent: `${code}: ${message}` });
        });
        at('[aria-label=Refusals]').replaceChildren(...said);
      },
      onError: fail,
    });
  };
}
