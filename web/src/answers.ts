/** What operations that ran in tabs were answered: for who wants to know, and for the tab that is looked at later. */
export type Answer = { data?: unknown; errors?: readonly { message: string }[] };
/** `came` is false where nobody knows whether the operation was done. */
export type Answered = { variables: Record<string, unknown>; answer: Answer; came: boolean };

const listeners = new Set<(answered: Answered) => void>();

/** Wait for the answer to the operation with this idempotency key. */
export function answerTo(key: string): Promise<Answered> {
  return new Promise((resolve) => {
    const hear = (answered: Answered) => {
      if (keyOf(answered.variables) !== key) return;
      listeners.delete(hear);
      resolve(answered);
    };
    listeners.add(hear);
  });
}

export function tellAnswer(answered: Answered): void {
  for (const listener of listeners) listener(answered);
}

export function keyOf(variables: Record<string, unknown>): string | null {
  const key = (variables.input as { idempotencyKey?: unknown } | null | undefined)?.idempotencyKey;
  return typeof key === 'string' ? key : null;
}
