/** What became of the last act, in words. */
import type { Outcome } from './run-in-tab';

export function Became({ outcome }: { outcome: Outcome | null }) {
  if (outcome === null) return null;
  return (
    <div className={outcome.good ? 'desk-outcome good' : 'desk-outcome bad'} role="status" aria-label="What became of it">
      {outcome.said.map((line) => (
        <p key={line}>{line}</p>
      ))}
    </div>
  );
}
