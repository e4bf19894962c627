// Rolls recomputed from the revealed seed (docs/formats/fairness.md), in the browser's own
// cryptography. Every die is listed in the order it was drawn, so faces follow without reading the
// expression; what the expression makes of them is for the stand-alone verifier and the whole log.
import type { Roll } from '@footlight/client';

export interface Proof {
  state: 'holds' | 'broken';
  reason: string;
}
export interface RollsToCheck {
  episode: string;
  seed: string;
  seed_commit: string;
  rolls: readonly Pick<Roll, 'n' | 'nonce' | 'hash' | 'dice'>[];
}
export interface RollsOutcome {
  /** The seed hashes to the commitment that was published at the start. */
  commitment: boolean;
  by_roll: ReadonlyMap<number, Proof>;
}

const kWord = 2 ** 32;
const kBlockBytes = 32;
const text = new TextEncoder();

function bytes_of(hex: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/.test(hex)) throw new Error('not hexadecimal');
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
function hex_of(buffer: ArrayBuffer): string {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The stream of one roll: HMAC blocks, read as big-endian words. */
class Faces {
  #block: DataView | null = null;
  #next = 0;
  #used = kBlockBytes;
  readonly #key: CryptoKey;
  readonly #prefix: Uint8Array;

  constructor(key: CryptoKey, episode: string, number: number, nonce: string) {
    this.#key = key;
    const name = text.encode(episode);
    const salt = text.encode(nonce);
    const head = text.encode('footlight-dice-v1\0');
    const message = new Uint8Array(head.length + 2 + name.length + 8 + 2 + salt.length);
    const view = new DataView(message.buffer);
    let at = 0;
    message.set(head, at);
    view.setUint16((at += head.length), name.length);
    message.set(name, (at += 2));
    view.setBigUint64((at += name.length), BigInt(number));
    view.setUint16((at += 8), salt.length);
    message.set(salt, at + 2);
    this.#prefix = message;
  }
  async block(index: number): Promise<ArrayBuffer> {
    const message = new Uint8Array(this.#prefix.length + 4);
    message.set(this.#prefix);
    new DataView(message.buffer).setUint32(this.#prefix.length, index);
    return crypto.subtle.sign('HMAC', this.#key, message);
  }
  async face(sides: number): Promise<number> {
    const limit = Math.floor(kWord / sides) * sides;
    for (;;) {
      const word = await this.#word();
      // Without this low faces would come more often.
      if (word < limit) return (word % sides) + 1;
    }
  }
  async #word(): Promise<number> {
    if (!this.#block || this.#used === kBlockBytes) {
      this.#block = new DataView(await this.block(this.#next++));
      this.#used = 0;
    }
    this.#used += 4;
    return this.#block.getUint32(this.#used - 4);
  }
}

async function check_roll(
  key: CryptoKey,
  episode: string,
  roll: RollsToCheck['rolls'][number],
): Promise<Proof> {
  const faces = new Faces(key, episode, roll.n, roll.nonce);
  const head = text.encode('footlight-roll-v1\0');
  const message = new Uint8Array(head.length + kBlockBytes);
  message.set(head);
  message.set(new Uint8Array(await faces.block(0)), head.length);
  if (hex_of(await crypto.subtle.digest('SHA-256', message)) !== roll.hash) {
    return { state: 'broken', reason: 'the roll’s hash is another' };
  }
  for (const [index, die] of roll.dice.entries()) {
    const face = die.sides === 0 ? (await faces.face(3)) - 2 : await faces.face(die.sides);
    if (face !== die.value) {
      return { state: 'broken', reason: `die ${index + 1} fell ${face}, not ${die.value}` };
    }
  }
  return { state: 'holds', reason: '' };
}

/** Throws when the seed is malformed or this page may not compute (no secure context). */
export async function check_rolls(input: RollsToCheck): Promise<RollsOutcome> {
  if (!globalThis.crypto?.subtle) throw new Error('browsers compute hashes on https pages only');
  const seed = bytes_of(input.seed);
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', seed, algorithm, false, ['sign']);
  const by_roll = new Map<number, Proof>();
  for (const roll of input.rolls) {
    by_roll.set(roll.n, await check_roll(key, input.episode, roll));
  }
  const commitment = hex_of(await crypto.subtle.digest('SHA-256', seed)) === input.seed_commit;
  return { commitment, by_roll };
}
