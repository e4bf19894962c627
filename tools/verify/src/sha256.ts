/**
 * SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), written here so that a check needs nothing but this
 * folder, and works the same in Node, in a page opened from a disk, and in a worker.
 */

const K = new Uint32Array(64);
const START = new Uint32Array(8);

// The constants are the fractional parts of roots of the first primes (FIPS 180-4 4.2.2, 5.3.3).
(() => {
  const fraction = (value: number) => ((value - Math.floor(value)) * 2 ** 32) >>> 0;
  let found = 0;
  for (let candidate = 2; found < 64; ++candidate) {
    let prime = true;
    for (let d = 2; d * d <= candidate; ++d) prime &&= candidate % d !== 0;
    if (!prime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(candidate));
    K[found++] = fraction(Math.cbrt(candidate));
  }
})();

export class Sha256 {
  private readonly state = Uint32Array.from(START);
  private readonly schedule = new Uint32Array(64);
  private readonly tail = new Uint8Array(64);
  private readonly words = new DataView(this.tail.buffer);
  private held = 0;
  private length = 0;

  update(bytes: Uint8Array): this {
    this.length += bytes.length;
    let at = 0;
    if (this.held > 0) {
      at = Math.min(64 - this.held, bytes.length);
      this.tail.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < 64) return this;
      this.block(this.tail, 0);
      this.held = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
    this.tail.set(bytes.subarray(at), 0);
    this.held = bytes.length - at;
    return this;
  }

  finish(): Uint8Array {
    const bits = this.length * 8;
    this.tail[this.held] = 0x80;
    this.tail.fill(0, this.held + 1);
    if (this.held >= 56) {
      this.block(this.tail, 0);
      this.tail.fill(0);
    }
    this.words.setUint32(56, Math.floor(bits / 2 ** 32));
    this.words.setUint32(60, bits >>> 0);
    this.block(this.tail, 0);
    const out = new Uint8Array(32);
    const words = new DataView(out.buffer);
    for (let i = 0; i < 8; ++i) words.setUint32(4 * i, this.state[i]!);
    return out;
  }

  /** Ready for another message. */
  reset(): this {
    this.state.set(START);
    this.held = 0;
    this.length = 0;
    return this;
  }

  private block(bytes: Uint8Array, from: number): void {
    const w = this.schedule;
    for (let i = 0; i < 16; ++i) {
      const at = from + 4 * i;
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; ++i) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16]! + s0 + w[i - 7]! + s1;
    }
    const s = this.state;
    let a = s[0]!;
    let b = s[1]!;
    let c = s[2]!;
    let d = s[3]!;
    let e = s[4]!;
    let f = s[5]!;
    let g = s[6]!;
    let h = s[7]!;
    for (let i = 0; i < 64; ++i) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    s[0] = s[0]! + a;
    s[1] = s[1]! + b;
    s[2] = s[2]! + c;
    s[3] = s[3]! + d;
    s[4] = s[4]! + e;
    s[5] = s[5]! + f;
    s[6] = s[6]! + g;
    s[7] = s[7]! + h;
  }
}

// One for all whole messages: an export has as many as it has ballots.
const shared = new Sha256();

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  shared.reset();
  for (const part of parts) shared.update(part);
  return shared.finish();
}

export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const padded = new Uint8Array(64);
  padded.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(
    padded.map((byte) => byte ^ 0x36),
    ...parts,
  );
  return sha256(
    padded.map((byte) => byte ^ 0x5c),
    inner,
  );
}
