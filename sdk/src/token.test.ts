import { expect, test } from 'vitest';
import { readClaims } from './token.ts';

test('claims are read from a JWT, and nothing else is', () => {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (claims: unknown): string => `${part({ alg: 'HS256' })}.${part(claims)}.c2ln`;
  expect(readClaims(token({ sub: 'zoë', ep: 'demo', exp: 10 }))).toEqual({
    ...{ sub: 'zoë', ep: 'demo', expMs: 10_000 },
  });
  expect(readClaims(token({ sub: 'a', ep: 'b' }))?.expMs).toBe(Infinity);
  for (const bad of [
    '',
    'x',
    'a.b.c',
    'a.!!.c',
    token(null),
    token([]),
    token({ sub: 1, ep: 2 }),
  ]) {
    expect(readClaims(bad)).toBeNull();
  }
});
