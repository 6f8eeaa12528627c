/** Idempotency keys: a fresh one for each press, the same one again only where the answer never came. */
const made = new Set<string>();
const answered = new Set<string>();

/** Make a key that no other attempt has: 128 random bits, also where the page is not on https or localhost. */
export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  made.add(key);
  return key;
}

/** Take the key for the next press: one of ours that has been answered is replaced, one that somebody typed stays. */
export const keyForPress = (key: string): string => (key === '' || (made.has(key) && answered.has(key)) ? freshKey() : key);

export const noteAnswered = (key: string): void => void answered.add(key);
