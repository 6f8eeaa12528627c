/** What the page reads from a token: who it is for and when it ends. Checking the signature is the server's part. */
export type Claims = { subject: string; expiresAt: number };

/** Read `sub` and `exp` (milliseconds since the epoch); throws one sentence for the person who pasted it. */
export function readClaims(token: string): Claims {
  const parts = token.split('.');
  if (parts.length !== 3) throw new Error('This is not a token: it should have three parts with dots between them.');
  let payload: unknown;
  try {
    const base64 = parts[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    payload = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Error('This token cannot be read; copy the whole of it and paste again.');
  }
  const { sub, exp } = (payload ?? {}) as { sub?: unknown; exp?: unknown };
  if (typeof sub !== 'string' || sub === '') throw new Error('This token does not say whom it is for (sub).');
  if (typeof exp !== 'number' || !Number.isFinite(exp)) {
    throw new Error('This token never expires (it has no exp), so it is not kept in a browser.');
  }
  return { subject: sub, expiresAt: exp * 1000 };
}

/** Take the token out of what people paste: a header line, quotes, line breaks. */
export function cleanToken(pasted: string): string {
  return pasted
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^authorization:\s*/i, '')
    .replace(/^bearer\s+/i, '')
    .replace(/^["']|["']$/g, '')
    .replaceAll(' ', '');
}
