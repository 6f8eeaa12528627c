/** Trying again while the server is away: a little later each time, at once when the machine wakes up or is online. */

/** Between two attempts at most; the first comes at once, and a wake-up does not wait at all. */
const LONGEST_WAIT_MS = 8_000;
const sleepers = new Set<() => void>();

/** Wait before the next attempt, but not when the machine has just woken up or come back to a network. */
export function wait(attempt: number): Promise<void> {
  const longest = Math.min(LONGEST_WAIT_MS, 250 * 2 ** Math.min(attempt, 6));
  return new Promise((resolve) => {
    const go = () => {
      window.clearTimeout(timer);
      sleepers.delete(go);
      resolve();
    };
    const timer = window.setTimeout(go, longest * (0.5 + Math.random() / 2));
    sleepers.add(go);
  });
}

function wake(): void {
  if (document.hidden) return;
  for (const go of [...sleepers]) go();
}
window.addEventListener('online', wake);
document.addEventListener('visibilitychange', wake);

/** Do what the page cannot be without, as often as it takes until the server answers. */
export async function again<T>(attempt: () => Promise<T>): Promise<T> {
  for (let failed = 0; ; failed += 1) {
    try {
      return await attempt();
    } catch {
      await wait(failed);
    }
  }
}
