import type { Role } from '../wire.ts';
import type { FakeActor } from './fake_episode.ts';

export interface FakeClaims {
  sub: string;
  role?: Role;
  name?: string;
  chars?: string[];
  /** May say captions, whatever the role. */
  captions?: boolean;
  ep?: string;
  /** Seconds from now. Default one hour. */
  expiresIn?: number;
}

function base64url(value: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

/** The claims as the fake server's tokens have them. */
export type Claims = FakeActor & { ep: string; exp: number };

/** Signed by nobody. */
export function tokenOf(claims: FakeClaims, episode: string, wall_ms: number): string {
  const { sub, role = 'viewer', name = sub, chars = [], captions = false, ep = episode } = claims;
  const exp = Math.floor(wall_ms / 1000) + (claims.expiresIn ?? 3600);
  const parts = [{ alg: 'none' }, { sub, ep, role, name, chars, captions, exp }, {}];
  return parts.map(base64url).join('.');
}

export function claimsOf(token: string): Claims | null {
  try {
    const text = atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return null;
  }
}

/** 16 hex digits of FNV-1a: a pseudonym that is the same every time. */
export function whoOf(sub: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(sub)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash.toString(16).padStart(16, '0');
}
