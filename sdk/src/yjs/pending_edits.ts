/**
 * Edits made here that are not durable yet, oldest first, and the messages they are on their way in.
 * The server numbers the messages that hold an update and acknowledges by that number, so what
 * became of an edit is known by the message it was in.
 */

import * as Y from 'yjs';
import { Value } from '../readable.ts';

/** Edits that wait are merged up to this, so that a long time offline is few edits. */
const MERGE_BYTES = 4096;
const MESSAGE_EDITS = 64;

export interface Edit {
  update: Uint8Array;
  /** Generation of the board it was made on; 0 when that is not known yet. */
  gen: number;
  /** Number in storage; 0 when it is not there. */
  n: number;
  /** Clocks of its structs by client: [from, to). */
  clocks: Map<number, [number, number]>;
  /** In a message on its way. */
  sent: boolean;
  /** Goes in a message of its own: the one it was in has been refused for one of its edits. */
  alone: boolean;
}

export class PendingEdits {
  /** How many there are. */
  readonly count = new Value(0);
  #edits: Edit[] = [];
  #messages = new Map<number, Edit[]>();
  #last = 0;

  get all(): readonly Edit[] {
    return this.#edits;
  }

  add(update: Uint8Array, gen: number, n = 0): Edit {
    const edit: Edit = { update, gen, n, clocks: clocksOf(update), sent: false, alone: false };
    this.#edits.push(edit);
    this.#changed();
    return edit;
  }

  /** Adds to the last edit when that still waits and stays small; null when it does not. */
  addToLast(update: Uint8Array, gen: number): Edit | null {
    const last = this.#edits.at(-1);
    if (!last || last.sent || last.alone || last.gen !== gen) return null;
    if (last.update.length + update.length > MERGE_BYTES) return null;
    last.update = Y.mergeUpdates([last.update, update]);
    last.clocks = clocksOf(last.update);
    return last;
  }

  /** Whether the struct that `id` names is in an edit that is not durable. */
  holds({ client, clock }: { client: number; clock: number }): boolean {
    return this.#edits.some((edit) => {
      const [from, to] = edit.clocks.get(client) ?? [0, 0];
      return clock >= from && clock < to;
    });
  }

  /** A new opening: numbers begin anew, and all is to be sent. */
  restart(): void {
    this.#messages.clear();
    this.#last = 0;
    this.sendAgain();
  }
  sendAgain(): void {
    for (const edit of this.#edits) edit.sent = false;
  }

  /**
   * The next message's update, of at most `limit_bytes` unless one edit is larger; null when nothing
   * waits. It counts as sent.
   */
  nextMessage(limit_bytes: number): Uint8Array | null {
    const chosen: Edit[] = [];
    let bytes = 0;
    for (const edit of this.#edits) {
      if (edit.sent) continue;
      bytes += edit.update.length;
      const full = bytes > limit_bytes || chosen.length >= MESSAGE_EDITS || edit.alone;
      if (chosen.length > 0 && full) break;
      chosen.push(edit);
      if (edit.alone) break;
    }
    const [first] = chosen;
    if (!first) return null;
    this.message(chosen);
    return chosen.length === 1 ? first.update : Y.mergeUpdates(chosen.map((one) => one.update));
  }

  /** Counts a message that holds these edits; none is a message too. */
  message(edits: readonly Edit[]): void {
    for (const edit of edits) edit.sent = true;
    this.#messages.set(++this.#last, [...edits]);
  }

  /** The first `n` messages are dealt with; the edits that are durable now. */
  acked(n: number): Edit[] {
    const durable = new Set<Edit>();
    for (const [number, edits] of this.#messages) {
      if (number > n) continue;
      for (const edit of edits) durable.add(edit);
      this.#messages.delete(number);
    }
    return this.#drop(durable);
  }

  /** Message `n` was not taken: its edits are still to be sent. */
  held(n: number): void {
    for (const edit of this.#messages.get(n) ?? []) edit.sent = false;
    this.#messages.delete(n);
  }

  /**
   * Message `n` was refused. With one edit in it, that is the one, and it is dropped and given; of
   * several each is to be sent alone.
   */
  refused(n: number): Edit[] {
    const edits = (this.#messages.get(n) ?? []).filter((one) => this.#edits.includes(one));
    this.#messages.delete(n);
    if (edits.length === 1) return this.#drop(new Set(edits));
    for (const edit of edits) edit.alone = true;
    return [];
  }

  /** Gives each edit another update, in order; those that get none are dropped and given. */
  replace(by: (edit: Edit) => Uint8Array | null): Edit[] {
    const lost = new Set<Edit>();
    for (const edit of this.#edits) {
      const update = by(edit);
      if (update) Object.assign(edit, { update, clocks: clocksOf(update) });
      else lost.add(edit);
    }
    return this.#drop(lost);
  }

  /** Drops and gives those that are so. */
  take(so: (edit: Edit) => boolean): Edit[] {
    return this.#drop(new Set(this.#edits.filter(so)));
  }

  #drop(gone: ReadonlySet<Edit>): Edit[] {
    if (gone.size === 0) return [];
    const dropped = this.#edits.filter((edit) => gone.has(edit));
    this.#edits = this.#edits.filter((edit) => !gone.has(edit));
    this.#changed();
    return dropped;
  }

  #changed(): void {
    this.count.set(this.#edits.length);
  }
}

function clocksOf(update: Uint8Array): Map<number, [number, number]> {
  const { from, to } = Y.parseUpdateMeta(update);
  return new Map([...from].map(([client, clock]) => [client, [clock, to.get(client) ?? clock]]));
}
