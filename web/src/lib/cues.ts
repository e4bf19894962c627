// The cue list of an episode file: what runs next, and in which order.
import type { Cue } from '@footlight/client';

export type CueEntry = readonly [id: string, cue: Cue];

export function in_order(cues: ReadonlyMap<string, Cue>): CueEntry[] {
  return [...cues].sort(([, a], [, b]) => a.n - b.n);
}

/** The first cue that has not run, after the last one that has: a skipped cue stays skipped. */
export function next_cue(entries: readonly CueEntry[]): CueEntry | null {
  const last_done = entries.findLastIndex(([, cue]) => cue.done);
  return entries[last_done + 1] ?? null;
}

/** Whether a key press is meant for the page and not for a field or a control in it. */
export function is_page_key(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  return !target.isContentEditable && !/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
