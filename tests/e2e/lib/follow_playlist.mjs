// A reader of a live media playlist that reloads it as a player does, by blocking requests, and holds over all
// reloads what the stream promises: constant targets, numbers that never go back, a segment that is the same whenever
// it is listed, dates that follow the durations, delta updates that make the whole, and media whose decode times go on
// from chunk to chunk and last as long as the list says.
import { read_chunks, read_init } from './read_media.mjs';

const kConstant = ['#EXT-X-TARGETDURATION', '#EXT-X-SERVER-CONTROL', '#EXT-X-PART-INF'];
const kSlack_ms = 2; // dates are written in milliseconds, durations in hundredths of them

/** {head, first, skipped, segments, tail}; segments: {msn, lines, map, date_ms, length_ms, broken, parts: [end_ms]}. */
export function read_playlist(text) {
  const out = { head: {}, first: 0, skipped: 0, segments: [], tail: [] };
  const fresh = (msn) => ({ msn, lines: [], date_ms: NaN, length_ms: 0, broken: false, parts: [] });
  let segment = fresh(0);
  let map = '';
  for (const line of text.trim().split('\n').slice(1)) {
    const [tag, value] = [line.split(':', 1)[0], line.slice(line.indexOf(':') + 1)];
    if (tag === '#EXT-X-MEDIA-SEQUENCE') segment.msn = out.first = Number(value);
    else if (tag === '#EXT-X-SKIP') segment.msn += out.skipped = Number(value.split('=')[1]);
    else if (/^#EXT-X-(PRELOAD-HINT|RENDITION-REPORT)$/.test(tag)) out.tail.push(line);
    else if (/^#EXT-X-(VERSION|TARGET|SERVER|PART-INF|INDEP|DISCONTINUITY-SEQ)/.test(tag)) {
      out.head[tag] = value;
    } else if (tag !== '#EXT-X-DATERANGE') {
      if (tag === '#EXT-X-PART') {
        const length_ms = 1000 * Number(/DURATION=([\d.]+)/.exec(value)[1]);
        segment.parts.push((segment.parts.at(-1) ?? 0) + length_ms);
        continue;
      }
      if (tag === '#EXT-X-MAP') map = /URI="([^"]+)"/.exec(value)[1];
      if (tag === '#EXT-X-MAP') continue; // said again where a list begins
      segment.lines.push(line);
      if (tag === '#EXT-X-PROGRAM-DATE-TIME') segment.date_ms = Date.parse(value);
      if (tag === '#EXT-X-DISCONTINUITY') segment.broken = true;
      if (tag === '#EXTINF') segment.length_ms = 1000 * parseFloat(value);
      if (tag[0] === '#') continue;
      out.segments.push({ ...segment, map });
      segment = fresh(segment.msn + 1);
    }
  }
  if (segment.parts.length > 0) {
    // Not complete yet: its date is not said, and follows.
    const last = out.segments.at(-1);
    if (last && !segment.broken) segment.date_ms = last.date_ms + last.length_ms;
    out.segments.push(segment);
  }
  return out;
}

export class PlaylistFollower {
  /** What did not hold, in words. */
  faults = [];
  reloads = 0;
  deltas = 0;
  breaks = 0;
  /** Segments whose media were read. */
  read = 0;
  /** {end_ms, seen_ms} of each new part: the date at its end, and when it was there. */
  parts = [];
  #url;
  #on = true;
  #before = null;
  #done;
  #reading = Promise.resolve();
  #media = { map: '', init: null, next: NaN };

  constructor(url) {
    this.#url = url;
    this.#done = this.#run().catch((error) => this.faults.push(`it cannot be read: ${error}`));
  }
  async stop() {
    this.#on = false;
    await this.#done;
    await this.#reading;
  }

  async #get(query) {
    const answer = await fetch(this.#url + query);
    if (answer.status !== 200) throw new Error(`${query}: ${answer.status}`);
    return answer.text();
  }

  async #run() {
    let query = '';
    while (this.#on) {
      const answer = await fetch(this.#url + query);
      if (answer.status === 503) continue; // nothing came within its time
      if (answer.status !== 200) throw new Error(`${query}: ${answer.status}`);
      const seen_ms = Date.now();
      const text = await answer.text();
      this.#check(read_playlist(text), seen_ms);
      if (query !== '') await this.#check_delta(text, query);
      const last = this.#before.segments.at(-1);
      const complete = last.length_ms > 0;
      const next = complete ? [last.msn + 1, 0] : [last.msn, last.parts.length];
      query = `?_HLS_msn=${next[0]}&_HLS_part=${next[1]}`;
    }
  }

  #expect(holds, what) {
    if (!holds) this.faults.push(`reload ${this.reloads}: ${what}`);
  }

  #check(now, seen_ms) {
    const before = this.#before;
    ++this.reloads;
    this.#before = now;
    for (let i = 1; i < now.segments.length; ++i) {
      const [one, next] = [now.segments[i - 1], now.segments[i]];
      const off_ms = next.date_ms - (one.date_ms + one.length_ms);
      if (Number.isNaN(next.date_ms) && next.broken && next.length_ms === 0) continue;
      const fits = next.broken ? off_ms >= -kSlack_ms : Math.abs(off_ms) <= kSlack_ms;
      this.#expect(fits, `segment ${next.msn} is ${off_ms} ms off`);
    }
    if (!before) return;
    for (const tag of kConstant) this.#expect(now.head[tag] === before.head[tag], tag);
    this.#expect(now.first >= before.first, `the list goes back to ${now.first}`);
    const known = new Map(before.segments.map((one) => [one.msn, one]));
    const last_msn = before.segments.at(-1).msn;
    for (const segment of now.segments) {
      const was = known.get(segment.msn);
      if (was?.length_ms > 0) {
        // What breaks off at the list's beginning is not said there.
        const bare = ({ lines }) => lines.filter((line) => line !== '#EXT-X-DISCONTINUITY').join();
        this.#expect(bare(was) === bare(segment), `segment ${segment.msn} is another`);
      }
      if (!was && segment.broken) ++this.breaks;
      if (segment.length_ms > 0 && !(was?.length_ms > 0)) {
        this.#reading = this.#reading
          .then(() => this.#check_media(segment))
          .catch((error) => this.faults.push(`segment ${segment.msn} cannot be read: ${error}`));
      }
      if (segment.msn < last_msn) continue;
      for (const end_ms of segment.parts.slice(was?.parts.length ?? 0)) {
        this.parts.push({ end_ms: segment.date_ms + end_ms, seen_ms });
      }
    }
  }

  async #bytes(name) {
    const answer = await fetch(new URL(name, this.#url));
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
    return answer.arrayBuffer();
  }

  async #check_media({ msn, lines, map, length_ms, broken }) {
    const media = this.#media;
    if (lines.includes('#EXT-X-GAP')) {
      media.next = NaN; // there is nothing to load, and the time goes on behind it
      return;
    }
    if (map !== media.map) Object.assign(media, { map, init: read_init(await this.#bytes(map)) });
    if (broken) media.next = NaN;
    const { timescale, sample } = media.init;
    let length = 0;
    for (const { tfdt, duration } of read_chunks(await this.#bytes(lines.at(-1)), sample)) {
      const off = tfdt - media.next;
      if (off) this.faults.push(`segment ${msn}: a chunk at ${tfdt} is ${off} ticks off`);
      media.next = tfdt + duration;
      length += duration;
    }
    const off_ms = (1000 * length) / timescale - length_ms;
    if (Math.abs(off_ms) > kSlack_ms) this.faults.push(`segment ${msn} is ${off_ms} ms too long`);
    ++this.read;
  }

  /** A delta update of the same version. */
  async #check_delta(text, query) {
    const delta_text = await this.#get(`${query}&_HLS_skip=YES`);
    const [whole, delta] = [read_playlist(text), read_playlist(delta_text)];
    if (delta.skipped === 0 || delta.tail.join() !== whole.tail.join()) return; // a newer one
    ++this.deltas;
    const joined = [...whole.segments.slice(0, delta.skipped), ...delta.segments];
    // A delta does not say the map again.
    const bare = (segments) => JSON.stringify(segments.map((one) => ({ ...one, map: '' })));
    this.#expect(bare(joined) === bare(whole.segments), `delta and base differ`);
  }
}
