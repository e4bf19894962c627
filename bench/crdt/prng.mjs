// mulberry32: the same numbers as Mulberry in crdt_bench.h, so that yjs and the engine play the same
// histories and their documents can be compared by hash.
export const mulberry = (seed) => {
  let a = seed >>> 0;
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    below: (bound) => Math.floor((next() / 0x100000000) * bound),
    word(low, high) {
      let text = '';
      for (let n = low + this.below(high - low + 1); n > 0; n--)
        text += String.fromCharCode(97 + this.below(26));
      return text;
    },
  };
};
