/** What a decision would do, in words, as the server foretells it; asked again as the amount is typed. */
import { useEffect, useState } from 'react';
import { LookAtDecisionDocument, type LookAtDecisionQuery, type LookAtDecisionQueryVariables } from '../generated/graphql';
import { ask } from './ask';
import { type Case, money, plain } from './words';

const TYPING_MS = 250;
type Foretold = LookAtDecisionQuery['decisionPreview'];
type Given = LookAtDecisionQueryVariables['input'];

/** Ask what a decision would do. */
export const foretell = async (input: Given): Promise<Foretold> => (await ask(LookAtDecisionDocument, { input })).decisionPreview;

type Props = { one: Case; decision: 'APPROVE' | 'DECLINE'; amount: string | undefined; rest: string | undefined };

export function Preview({ one, decision, amount, rest }: Props) {
  const [foretold, setForetold] = useState<Foretold | null>(null);
  const currencyCode = one.requestedAmount?.currencyCode;
  useEffect(() => {
    let current = true;
    const given = decision === 'APPROVE' && amount && currencyCode ? { amount: amount.trim(), currencyCode } : undefined;
    const timer = window.setTimeout(() => {
      void foretell({ refundCaseId: one.id, decision, amount: given, rest: rest as Given['rest'] }).then(
        (found) => current && setForetold(found),
        () => current && setForetold(null), // an amount that is half typed
      );
    }, TYPING_MS);
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [one.id, one.version, decision, amount, rest, currencyCode]);
  if (foretold === null) return null;
  return (
    <ul className={foretold.allowed ? 'desk-preview' : 'desk-preview bad'} aria-label="What it will do">
      {inWords(one, foretold).map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

/** `balance(expert, CONTRACTS)` as people say it; what is new stays as the server tells it. */
function place(account: string): string {
  const [, kind, who, purpose] = /^(\w+)\((\w+)(?:, (\w+))?\)$/.exec(account) ?? [];
  if (kind === 'balance' && who && purpose) return `the ${who}’s balance for ${plain(purpose)}`;
  if (kind === 'held' && who) return `what is held for the ${who}`;
  return account;
}

function inWords(one: Case, foretold: Foretold): string[] {
  const lines = foretold.blockers.map(({ message, rule }) => (rule ? `${message} (${rule})` : message));
  if (foretold.needsConfirmation) lines.push('It is above your limit: a colleague has to confirm it.');
  for (const { amount, fromAccount, toAccount } of foretold.postings) lines.push(`${money(amount)} from ${place(fromAccount)} to ${place(toAccount)}.`);
  if (foretold.requesterBalanceAfter) lines.push(`${one.requester.name} has ${money(foretold.requesterBalanceAfter)} afterwards.`);
  if (foretold.counterpartyBalanceAfter) lines.push(`${one.counterparty?.name} has ${money(foretold.counterpartyBalanceAfter)} afterwards.`);
  if (foretold.contractTotalAfter) lines.push(`The contract is worth ${money(foretold.contractTotalAfter)} then${foretold.reviewsHidden ? ', and both reviews are hidden' : ''}.`);
  if (foretold.staysOpen.length > 0) lines.push(`Stays open: ${foretold.staysOpen.map(plain).join(', ')}.`);
  return lines;
}
