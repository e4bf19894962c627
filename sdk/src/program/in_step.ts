/**
 * Polls as a viewer should see them whose picture is some seconds late: a poll appears when the
 * picture it belongs to does, is open so much longer, and its result waits for the picture too.
 */

import type { Poll } from '../wire.ts';

/** Where a viewer is. */
export interface Position {
  /** The wall time of the picture on the screen, by the server's clock. */
  shown_ms: number;
  /** Now, by the server's clock. */
  now_ms: number;
  /** So much delay the server believes, where it is less than there is. */
  claimed_ms?: number;
}

/** A poll as of the picture. */
export interface PollInStep extends Poll {
  /** It is open in the picture, and yet over: this viewer is further behind than it waits. */
  readonly missed?: true;
}

/** By so much a viewer's last moment to vote is later than others': its delay, up to the allowance. */
export function allowance_ms(poll: Poll, { shown_ms, now_ms, claimed_ms }: Position): number {
  return Math.max(0, Math.min(now_ms - shown_ms, claimed_ms ?? Infinity, poll.allowance_ms ?? 0));
}

/** The last moment this viewer's vote counts, by the server's clock; 0: no deadline. */
export function lastMoment_ms(poll: Poll, at: Position): number {
  if (poll.deadline_ms <= 0) return 0;
  // In steps, so that a countdown does not tremble.
  return poll.deadline_ms + Math.floor(allowance_ms(poll, at) / 250) * 250;
}

const DRAWN_WITHIN_MS = 1_000;
/** The last moment is told in steps, and the picture four times a second. */
const MISSED_MS = 500;

export class PollsInStep {
  /** What was there, and since when, oldest first; the last is the server's present one. */
  readonly #history = new Map<string, { since_ms: number; poll: Poll }[]>();
  /** What was seen is not taken back when the picture becomes later, as by another way to watch. */
  #reached_ms = -Infinity;

  /**
   * What the server says now. What is there at the first call has been there before.
   */
  update(polls: ReadonlyMap<string, Poll>, now_ms: number): void {
    const first = this.#history.size === 0;
    for (const id of this.#history.keys()) if (!polls.has(id)) this.#history.delete(id);
    for (const [id, poll] of polls) {
      const known = this.#history.get(id);
      if (known?.at(-1)?.poll === poll) continue;
      const opened = poll.opened_ms > 0 && poll.opened_ms !== known?.at(-1)?.poll.opened_ms;
      const since_ms = opened ? poll.opened_ms : first ? 0 : now_ms;
      // A poll that closed before we came was seen to be opened and closed.
      const been = first && poll.state === 'closed' ? 0 : since_ms;
      this.#history.set(id, [...(known ?? []), { since_ms: been, poll }].slice(-8));
    }
  }

  /** Openings whose picture is still to come for who is shown `shown_ms`. */
  coming(shown_ms: number): { id: string; opened_ms: number; since_ms: number }[] {
    return [...this.#history].flatMap(([id, history]) =>
      history
        .filter(({ since_ms, poll }) => since_ms > shown_ms && poll.opened_ms > 0)
        .map(({ since_ms, poll }) => ({ id, opened_ms: poll.opened_ms, since_ms })),
    );
  }

  /**
   * An opening is seen in the picture of `at_ms`: a little after the event itself, which is drawn first. What the
   * stream says is believed as far as DRAWN_WITHIN_MS.
   */
  drawn(id: string, opened_ms: number, at_ms: number): void {
    if (at_ms < opened_ms || at_ms > opened_ms + DRAWN_WITHIN_MS) return;
    for (const one of this.#history.get(id) ?? []) {
      if (one.since_ms === opened_ms) one.since_ms = at_ms;
    }
  }

  /** The polls as of the picture. */
  seen(at: Position): Map<string, PollInStep> {
    const out = new Map<string, PollInStep>();
    this.#reached_ms = Math.max(this.#reached_ms, at.shown_ms);
    for (const [id, history] of this.#history) {
      const poll = this.#one(history, at);
      if (poll) out.set(id, poll);
    }
    return out;
  }

  #one(history: { since_ms: number; poll: Poll }[], at: Position): PollInStep | null {
    const present = history.at(-1)?.poll;
    if (!present) return null;
    const shown = history.filter((one) => one.since_ms <= this.#reached_ms).at(-1)?.poll;
    if (!shown) return null;
    const running = shown.state === 'open' || shown.state === 'closing';
    if (!running) return shown;
    // Open in the picture: whether a vote still counts is for the server's clock to say.
    const last_ms = lastMoment_ms(present, at);
    const over = last_ms > 0 ? at.now_ms > last_ms : present.state !== 'open';
    const state = over || present.state === 'closed' ? 'closing' : 'open';
    const closes_ms = present.deadline_ms > 0 ? present.deadline_ms : Infinity;
    const missed =
      state !== 'open' && shown.state === 'open' && at.shown_ms < closes_ms - MISSED_MS;
    return { ...shown, state, deadline_ms: last_ms, ...(missed && { missed }) };
  }
}
