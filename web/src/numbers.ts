/** Cases by the number that people read out: where an id is asked for, RC-000012 is looked up and its id sent. */
import { post } from './http';

const NUMBER = /^RC-\d{6,}$/;
/** These take numbers themselves. */
const BY_NUMBER = new Set(['number', 'numbers', 'text']);
const LOOK_UP = 'query IdOfCase($number: String!) { refundCaseByNumber(number: $number) { id } }';

/** Return the variables with each case number replaced by that case's id; an unknown number stays, and is not found. */
export async function byId(variables: Record<string, unknown>, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const numbers = new Set<string>();
  walk(variables, (number) => (numbers.add(number), number));
  if (numbers.size === 0) return variables;
  const ids = new Map<string, string>();
  await Promise.all(
    [...numbers].map(async (number) => {
      const answer = await post({ query: LOOK_UP, variables: { number } }, headers);
      const found = (answer.data as { refundCaseByNumber?: { id: string } | null } | null | undefined)?.refundCaseByNumber;
      if (found) ids.set(number, found.id);
    }),
  );
  return walk(variables, (number) => ids.get(number) ?? number) as Record<string, unknown>;
}

function walk(value: unknown, replace: (number: string) => string): unknown {
  if (typeof value === 'string') return NUMBER.test(value) ? replace(value) : value;
  if (Array.isArray(value)) return value.map((one) => walk(one, replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, BY_NUMBER.has(name) ? one : walk(one, replace)]));
}
