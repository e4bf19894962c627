/**
 * Captions as a viewer should see them whose picture is some seconds late: each with the picture of the moment its words
 * were spoken.
 */

import type { Caption } from '../wire.ts';
import type { Position } from './in_step.ts';

/** The server has fewer in its view; of those that are over for everybody none are missed. */
const MOST = 200;

export class CaptionsInStep {
  #known = new Map<number, Caption>();

  /** What the server says now; what it no longer says may still be due for who is late. */
  update(captions: ReadonlyMap<string, Caption>): void {
    for (const caption of captions.values()) this.#known.set(caption.n, caption);
    for (const n of [...this.#known.keys()].slice(0, -MOST)) this.#known.delete(n);
  }

  /** All of a recording, in the place of what was known. */
  recorded(captions: readonly Omit<Caption, 'said_ms'>[]): void {
    this.#known = new Map(captions.map((one) => [one.n, { ...one, said_ms: 0 }]));
  }

  /** Of what there is, in the order it came up. */
  get languages(): string[] {
    return [
      ...new Set([...this.#known.values()].flatMap(({ lang, text }) => (text ? [lang] : []))),
    ];
  }

  /** The moment of the first whose picture is still to come; Infinity: there is none. */
  next_ms(shown_ms: number): number {
    let next_ms = Infinity;
    for (const { at_ms } of this.#known.values()) {
      if (at_ms > shown_ms && at_ms < next_ms) next_ms = at_ms;
    }
    return next_ms;
  }

  /**
   * Those to be shown, oldest first. One that came after its picture was shown has its time from when it came.
   */
  seen({ shown_ms, now_ms }: Position): Caption[] {
    return [...this.#known.values()]
      .filter(
        ({ at_ms, said_ms, for_ms }) =>
          at_ms <= shown_ms && (shown_ms < at_ms + for_ms || now_ms < said_ms + for_ms),
      )
      .sort((a, b) => a.at_ms - b.at_ms || a.n - b.n);
  }
}
