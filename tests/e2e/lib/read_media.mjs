// Reads fragmented MP4 (ISO/IEC 14496-12) as far as its times: no code of ours.

/** The boxes of `view` as {type, view} of their bodies. */
function boxes(view) {
  const out = [];
  for (let at = 0; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > view.byteLength) throw new Error(`a box of ${size} bytes at ${at}`);
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    out.push({ type, view: new DataView(view.buffer, view.byteOffset + at + 8, size - 8) });
    at += size;
  }
  return out;
}
const all = (view, type) => boxes(view).filter((one) => one.type === type);
function inside(view, ...path) {
  for (const type of path) view = all(view, type)[0].view;
  return view;
}
const flags_of = (view) => view.getUint32(0) & 0xffffff;

/** Of an initialization segment: ticks a second, and how long a sample is that does not say. */
export function read_init(bytes) {
  const file = new DataView(bytes);
  const mdhd = inside(file, 'moov', 'trak', 'mdia', 'mdhd');
  const timescale = mdhd.getUint32(mdhd.getUint8(0) === 1 ? 20 : 12);
  return { timescale, sample: inside(file, 'moov', 'mvex', 'trex').getUint32(12) };
}

/** The chunks of a segment: {tfdt, duration} in ticks. `sample`: as of read_init. */
export function read_chunks(bytes, sample) {
  return all(new DataView(bytes), 'moof').map(({ view }) => {
    const traf = inside(view, 'traf');
    const tfdt = inside(traf, 'tfdt');
    const tfhd = inside(traf, 'tfhd');
    const has = flags_of(tfhd);
    const each = has & 8 ? tfhd.getUint32(8 + (has & 1 ? 8 : 0) + (has & 2 ? 4 : 0)) : sample;
    let duration = 0;
    for (const { view: trun } of all(traf, 'trun')) {
      const flags = flags_of(trun);
      const count = trun.getUint32(4);
      const from = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
      const step = 4 * [0x100, 0x200, 0x400, 0x800].filter((one) => flags & one).length;
      for (let i = 0; i < count; ++i) {
        duration += flags & 0x100 ? trun.getUint32(from + i * step) : each;
      }
    }
    const long = tfdt.getUint8(0) === 1;
    return { tfdt: long ? Number(tfdt.getBigUint64(4)) : tfdt.getUint32(4), duration };
  });
}
