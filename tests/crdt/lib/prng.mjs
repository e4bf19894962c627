// sfc32 (PractRand), seeded by a splitmix of any list of integers. A seed means the same on every
// machine and in every version of node.

const mix = (h) => {
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
};

export class Prng {
  constructor(...seeds) {
    let h = 0x9e3779b9;
    for (const seed of seeds) {
      h = mix((h + (seed >>> 0) + 0x9e3779b9) | 0);
      h = mix((h + Math.floor(seed / 0x100000000) + 0x9e3779b9) | 0);
    }
    this.a = h;
    this.b = mix(h + 1);
    this.c = mix(h + 2);
    this.counter = 1;
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32() {
    const t = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + t) | 0;
    return t >>> 0;
  }

  // Uniform in [0, bound); bound <= 2^32. The bias of the multiplication is below 2^-20 here.
  below(bound) {
    return Math.floor((this.u32() / 0x100000000) * bound);
  }

  // Both ends included.
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(parts, of) {
    return this.below(of) < parts;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  // entries: [[weight, value], ...]
  weighted(entries) {
    let sum = 0;
    for (const [weight] of entries) sum += weight;
    let at = this.below(sum);
    for (const [weight, value] of entries) {
      at -= weight;
      if (at < 0) return value;
    }
    return entries[entries.length - 1][1];
  }

  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
}
