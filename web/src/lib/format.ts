// What a number or a moment looks like on a page. Pure: the time comes in as an argument.

const kMinuteMs = 60_000;

/** `0:24`, `12:05`, `1:02:05`; rounds up, so that a countdown shows 0:00 only when it is over. */
export function countdown(remaining_ms: number): string {
  const total_s = Math.max(0, Math.ceil(remaining_ms / 1000));
  const h = Math.floor(total_s / 3600);
  const m = Math.floor((total_s % 3600) / 60);
  const s = String(total_s % 60).padStart(2, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

/** The same span in words for a screen reader: `1 minute 5 seconds`. */
export function countdown_words(remaining_ms: number): string {
  const total_s = Math.max(0, Math.ceil(remaining_ms / 1000));
  const m = Math.floor(total_s / 60);
  const s = total_s % 60;
  const parts: string[] = [];
  if (m > 0) parts.push(plural(m, 'minute'));
  if (s > 0 || m === 0) parts.push(plural(s, 'second'));
  return parts.join(' ');
}

export function plural(n: number, noun: string, nouns = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : nouns}`;
}

const kCount = new Intl.NumberFormat('en');
export function count(n: number): string {
  return kCount.format(n);
}

/** `950`, `12.3k`, `4.5M`: at most five characters, for tight places. */
export function short_count(n: number): string {
  if (n < 1000) return String(n);
  const [unit, suffix] = n < 999_950 ? [1000, 'k'] : [1_000_000, 'M'];
  const scaled = n / unit;
  return (
    (scaled < 99.95 ? scaled.toFixed(1).replace(/\.0$/, '') : String(Math.round(scaled))) + suffix
  );
}

/**
 * Whole percentages that add up to 100 (largest remainder), so that a bar chart never claims 99 %
 * or 101 %. All zero when nothing was counted.
 */
export function percentages(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total <= 0) return counts.map(() => 0);
  const exact = counts.map((n) => (n * 100) / total);
  const floors = exact.map(Math.floor);
  let missing = 100 - floors.reduce((sum, n) => sum + n, 0);
  const order = exact
    .map((value, index) => ({ index, rest: value - Math.floor(value) }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index);
  for (const { index } of order) {
    if (missing-- <= 0) break;
    floors[index] = (floors[index] ?? 0) + 1;
  }
  return floors;
}

/** Indices of the options that lead, several when they tie, none when nothing was counted. */
export function leaders(counts: readonly number[]): number[] {
  const most = Math.max(0, ...counts);
  if (most === 0) return [];
  return counts.flatMap((n, index) => (n === most ? [index] : []));
}

/** `84 ms`, `1.4 s`. */
export function latency(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** `820 µs`, `2.4 ms`. */
export function micros(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 10_000 ? `${(us / 1000).toFixed(1)} ms` : latency(us / 1000);
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  const kib = n / 1024;
  return kib < 1024 ? `${kib.toFixed(kib < 10 ? 1 : 0)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

/** Local time of day, `20:14:05`. */
export function clock(at_ms: number): string {
  const date = new Date(at_ms);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, '0'))
    .join(':');
}

/** `just now`, `3 min ago`, or the time of day for what is older than an hour. */
export function ago(at_ms: number, now_ms: number): string {
  const age_ms = now_ms - at_ms;
  if (age_ms < kMinuteMs) return 'just now';
  if (age_ms < 60 * kMinuteMs) return `${Math.floor(age_ms / kMinuteMs)} min ago`;
  return clock(at_ms).slice(0, 5);
}

/** The first digits of a long hash, enough to compare by eye. */
export function short_hash(hex: string, digits = 8): string {
  return hex.length <= digits + 1 ? hex : `${hex.slice(0, digits)}…`;
}

/** Up to two letters that stand for a name where there is no portrait. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('');
}

/** A word of the protocol as a person reads it: `no_quorum` → `No quorum`. */
export function humanize(word: string): string {
  const text = word.replace(/[_.-]+/g, ' ').trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `+3`, `−2`, `0`, with a true minus sign. */
export function signed(n: number): string {
  return n > 0 ? `+${n}` : n < 0 ? `−${-n}` : '0';
}
