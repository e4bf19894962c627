import { expect, test } from 'vitest';
import { utf8Length } from './ids.ts';

test('a length in UTF-8 is what an encoder makes of it', () => {
  const encoder = new TextEncoder();
  for (const text of ['', 'abc', 'grüße', '€', '🎲', 'a🎲é', '\ud83c', '\udfb2x', '🎲'.repeat(9)]) {
    expect(utf8Length(text), text).toBe(encoder.encode(text).length);
  }
});
