/** What a client may read from its own token. Nothing here checks a signature: the server does. */

export interface Claims {
  sub: string;
  ep: string;
  /** Unix milliseconds; Infinity when the token names none. */
  expMs: number;
}

/** The claims of a JWT (RFC 7519), or null when it cannot be read. */
export function readClaims(token: string): Claims | null {
  const payload = token.split('.')[1];
  if (!payload) return null;
  try {
    const text = atob(payload.replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null) return null;
    const { sub, ep, exp } = claims as Record<string, unknown>;
    if (typeof sub !== 'string' || typeof ep !== 'string') return null;
    return { sub, ep, expMs: typeof exp === 'number' ? exp * 1000 : Infinity };
  } catch {
    return null;
  }
}
