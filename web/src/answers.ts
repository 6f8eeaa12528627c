/** Who wants to know what an operation that ran in a tab was answered. */
export type Answered = { operationName: string | null; variables: Record<string, unknown>; answer: unknown };

const listeners = new Set<(answered: Answered) => void>();

export function onAnswer(listener: (answered: Answered) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellAnswer(answered: Answered): void {
  for (const listener of listeners) listener(answered);
}
