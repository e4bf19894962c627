/** Faces of a roll from the revealed seed: docs/formats/fairness.md. */
import { bigEndian, concat, utf8 } from './bytes.ts';
import type { Faces } from './dice.ts';
import { hmacSha256, sha256 } from './sha256.ts';

const DOMAIN = utf8('footlight-dice-v1\0');
const FINGERPRINT_DOMAIN = utf8('footlight-roll-v1\0');

export function commitment(seed: Uint8Array): Uint8Array {
  return sha256(seed);
}

export function isNonce(text: string): boolean {
  return /^[0-9a-f]{16,64}$/.test(text);
}

export class FairDice implements Faces {
  private readonly message: Uint8Array;
  private words: number[] = [];
  private counter = 0;

  constructor(
    private readonly seed: Uint8Array,
    episode: string,
    number: number,
    nonce: string,
  ) {
    const id = utf8(episode);
    const salt = utf8(nonce);
    this.message = concat(
      DOMAIN,
      bigEndian(id.length, 2),
      id,
      bigEndian(number, 8),
      bigEndian(salt.length, 2),
      salt,
    );
  }

  block(counter: number): Uint8Array {
    return hmacSha256(this.seed, this.message, bigEndian(counter, 4));
  }

  fingerprint(): Uint8Array {
    return sha256(FINGERPRINT_DOMAIN, this.block(0));
  }

  face(sides: number): number {
    const limit = Math.floor(2 ** 32 / sides) * sides;
    for (;;) {
      const word = this.word();
      if (word < limit) return (word % sides) + 1;
    }
  }

  private word(): number {
    if (this.words.length === 0) {
      const bytes = this.block(this.counter++);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < 8; ++i) this.words.push(view.getUint32(4 * i));
    }
    return this.words.shift()!;
  }
}
