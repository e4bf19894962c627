/**
 * By how much longer the server lets this viewer vote: what it has shown to be behind, by its cues. The same rule as the
 * server's (docs/watching.md, `src/gate/cue.h`), so that the page does not offer a vote that would be refused.
 */

const MOST_MS = 30_000;
const FORGOTTEN_MS = 30_000;
const RISES_EACH = 5;

export class Claim {
  #first_ms = -Infinity;
  #last_ms = -Infinity;
  #delay_ms = 0;

  /** The cue of the picture of `shown_ms` has been told to the server. */
  report(shown_ms: number, now_ms: number): void {
    const claimed_ms = Math.max(0, Math.min(now_ms - shown_ms, MOST_MS));
    const since_ms = now_ms - this.#last_ms;
    if (since_ms > FORGOTTEN_MS) this.#first_ms = now_ms;
    const highest_ms =
      since_ms > FORGOTTEN_MS ? MOST_MS : this.#delay_ms + Math.max(0, since_ms) / RISES_EACH;
    this.#delay_ms = Math.min(claimed_ms, highest_ms);
    this.#last_ms = now_ms;
  }

  allowance_ms(now_ms: number): number {
    if (now_ms - this.#last_ms > FORGOTTEN_MS) return 0;
    return Math.max(0, Math.min(now_ms - this.#first_ms, this.#delay_ms));
  }
}
