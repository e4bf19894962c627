import type { Random } from './types.ts';

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** An id that is not all zeros, which W3C Trace Context forbids and the server reads as "none". */
export function randomHex(random: Random, bytes: number): string {
  const text = hex(random.bytes(bytes));
  return /[1-9a-f]/.test(text) ? text : text.slice(0, -1) + '1';
}

/** W3C Trace Context, section 3.2, version 00, sampled: a new trace for each action. */
export function newTraceparent(random: Random): string {
  return `00-${randomHex(random, 16)}-${randomHex(random, 8)}-01`;
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let k = 0; k < text.length; ++k) {
    const unit = text.charCodeAt(k);
    if (unit < 0x80) continue;
    ++bytes;
    if (unit < 0x800) continue;
    // A surrogate pair is two units and four bytes; a lone one is written as U+FFFD.
    const next = text.charCodeAt(k + 1);
    if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) ++k;
    ++bytes;
  }
  return bytes;
}
