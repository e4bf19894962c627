/**
 * Events on their way: kept, numbered, sent in order, sent again after a reconnect or when no answer
 * comes, until each is confirmed or rejected. A resend is harmless: (account, cid, i) is the event's
 * id and the server answers the same id as the first time.
 *
 * Bounds: `limit` events; an event is sent at most ten times without an answer, put off by the
 * server at most eight times, and not sent any more once it is older than `maxAgeMs`. Where the
 * server admits no more, one event at a time feels out when it does again.
 */

import { utf8Length } from './ids.ts';
import type { Slot } from './outbox_store.ts';
import { ClientCode, isAdmissionProblem } from './problems.ts';
import { Family } from './readable.ts';
import { SentEvent, type StoredEvent } from './sent_event.ts';
import type { Clock, Problem, Readable, Sent } from './types.ts';
import type { AckMessage, CommandArgs, CommandKind, RejectedEntry } from './wire.ts';

const RESEND_MS = 5000;
const RESEND_CAP_MS = 60_000;
const MAX_SILENCES = 10;
const MAX_REFUSALS = 8;
const MAX_RETRY_AFTER_MS = 60_000;
const ENVELOPE_BYTES = '{"t":"ev","e":[]}'.length;

const TOO_OLD: Problem = {
  code: ClientCode.tooOld,
  message: 'The event grew too old before it was confirmed; look whether it counted.',
};
const TOO_LARGE: Problem = {
  code: ClientCode.tooLarge,
  message: 'The event is larger than a frame may be.',
};
const NO_ANSWER: Problem = {
  code: ClientCode.noAnswer,
  message: 'The server gave no answer to this event; look whether it counted.',
};

export interface OutboxOptions {
  clock: Clock;
  limit: number;
  maxAgeMs: number;
  /** After each change of an event's status. */
  onStatus: (sent: SentEvent) => void;
  /** What was made while offline may be brought up to date before it goes out for the first time. */
  refresh: (sent: SentEvent) => CommandArgs[CommandKind];
  /** A refused event may be tried again with other arguments, under a new number. */
  revise: (sent: SentEvent, code: number) => CommandArgs[CommandKind] | null;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #slot: Slot | null = null;
  /** By number, rising. */
  #events = new Map<number, SentEvent>();
  /** Made before the slot was open, not numbered yet. */
  #early: SentEvent[] = [];
  #next = 1;
  #nextDirty = false;
  #holdUntilMs = 0;
  /** Events admitted since admission was last refused; null: it never was on this connection. */
  #credit: number | null = null;
  #refusedInARow = 0;
  #frameBytes = 16_384;
  #list: readonly Sent[] | null = null;
  readonly #watch = new Family<'all', readonly Sent[]>(() => {
    this.#list ??= [...this.#events.values(), ...this.#early];
    return this.#list;
  });

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get pending(): Readable<readonly Sent[]> {
    return this.#watch.of('all');
  }
  get size(): number {
    return this.#events.size + this.#early.length;
  }
  get cid(): string {
    return this.#slot?.cid ?? '';
  }
  get bound(): boolean {
    return this.#slot !== null;
  }

  /**
   * Works on `slot` from now on: what it holds comes first, then what was added before. Events of a
   * slot that was lost to another tab are given up here; that tab sends them.
   */
  bind(slot: Slot): SentEvent[] {
    const same = this.#slot?.cid === slot.cid;
    const held = same ? this.#events : new Map<number, SentEvent>();
    if (!same) for (const sent of this.#events.values()) this.#giveUp(sent);
    this.#slot = slot;
    this.#next = Math.max(slot.next, same ? this.#next : 1);
    this.#events = new Map();
    const loaded: SentEvent[] = [];
    const numbers = new Set([...held.keys(), ...slot.events.keys()]);
    for (const i of [...numbers].sort((a, b) => a - b)) {
      const sent = held.get(i) ?? new SentEvent(slot.events.get(i) as StoredEvent);
      if (!held.has(i)) loaded.push(sent);
      this.#number(sent, i);
    }
    const early = this.#early;
    this.#early = [];
    for (const sent of early) this.#store(sent);
    this.#changed();
    return loaded;
  }

  /** Lets go of the slot: another tab may take it. The events stay in storage. */
  release(): void {
    this.#slot?.release();
  }

  add(sent: SentEvent): void {
    if (this.size >= this.#options.limit) {
      this.#reject(sent, {
        code: ClientCode.outboxFull,
        message: 'Too many events wait to be confirmed; wait until some are.',
      });
    } else if (this.#measure(sent) > this.#frameBytes) {
      this.#reject(sent, TOO_LARGE);
    } else if (this.#slot) {
      this.#store(sent);
    } else {
      this.#early.push(sent);
    }
    this.#changed();
  }

  /** A number for an event that is not kept: it must not be used again all the same. */
  takeNumber(): number {
    this.#nextDirty = true;
    return this.#next++;
  }

  /** A new connection: all is to be sent again. `lastI` is the highest number the server has. */
  welcomed(lastI: number, frameBytes: number): void {
    this.#frameBytes = frameBytes;
    if (lastI >= this.#next) {
      this.#next = lastI + 1;
      this.#nextDirty = true;
    }
    this.#holdUntilMs = 0;
    this.#credit = null;
    for (const sent of [...this.#events.values()]) {
      sent.sentMs = null;
      sent.notBeforeMs = 0;
      if (sent.jsonBytes + ENVELOPE_BYTES <= frameBytes) continue;
      this.#drop(sent);
      this.#reject(sent, TOO_LARGE);
    }
    this.#dropOld();
    this.#changed();
  }

  /** The next batch of at most `max` events as a frame, in order; null when nothing is to be sent. */
  nextFrame(max: number): string | null {
    const now_ms = this.#options.clock.now();
    const batch: SentEvent[] = [];
    let bytes = ENVELOPE_BYTES;
    if (this.#holdUntilMs > now_ms) return null;
    const room = Math.min(max, this.#room());
    for (const sent of this.#events.values()) {
      if (batch.length >= room) break;
      if (sent.sentMs !== null || sent.notBeforeMs > now_ms) continue;
      if (sent.unsent) this.#firstTime(sent);
      bytes += sent.jsonBytes + 1;
      if (bytes > this.#frameBytes) break;
      batch.push(sent);
    }
    if (this.#nextDirty) {
      this.#nextDirty = false;
      this.#slot?.touch(this.#next);
    }
    if (!batch.length) return null;
    for (const sent of batch) {
      sent.sentMs = now_ms;
      ++sent.tries;
      if (sent.status.get().state !== 'pending') continue;
      sent.status.set({ state: 'pending', tries: sent.tries });
      this.#options.onStatus(sent);
    }
    return `{"t":"ev","e":[${batch.map((sent) => sent.json).join(',')}]}`;
  }

  acked(ack: AckMessage): void {
    for (const i of ack.accepted ?? []) {
      const sent = this.#events.get(i);
      if (!sent || sent.status.get().state !== 'pending') continue;
      this.#admitted();
      sent.silences = 0;
      sent.markAccepted();
      this.#options.onStatus(sent);
    }
    for (const { i, log, hash } of ack.confirmed ?? []) {
      const sent = this.#events.get(i);
      if (!sent) continue;
      if (sent.status.get().state === 'pending') this.#admitted();
      this.#drop(sent);
      sent.markConfirmed(hash === undefined ? { log } : { log, hash });
      this.#options.onStatus(sent);
    }
    for (const refusal of ack.rejected ?? []) this.#refused(refusal);
    this.#changed();
  }

  /**
   * Puts what waited too long for its answer back in line. Returns the milliseconds until there is
   * something to send or to look at again, Infinity when there is nothing.
   */
  tend(): number {
    const now_ms = this.#options.clock.now();
    let wait_ms = Infinity;
    this.#dropOld();
    for (const sent of [...this.#events.values()]) {
      if (sent.sentMs === null) continue;
      const due_ms = sent.sentMs + Math.min(RESEND_CAP_MS, RESEND_MS * 2 ** sent.silences);
      if (due_ms > now_ms) {
        wait_ms = Math.min(wait_ms, due_ms - now_ms);
      } else if (++sent.silences >= MAX_SILENCES) {
        this.#drop(sent);
        this.#reject(sent, NO_ANSWER);
        this.#changed();
      } else {
        sent.sentMs = null;
      }
    }
    // An answer will make room; nothing is to be done before.
    if (this.#room() <= 0) return wait_ms;
    for (const { sentMs, notBeforeMs } of this.#events.values()) {
      if (sentMs !== null) continue;
      wait_ms = Math.min(wait_ms, Math.max(notBeforeMs, this.#holdUntilMs, now_ms) - now_ms);
    }
    return wait_ms;
  }

  /** The client closes: promises end, events stay. */
  abandonAll(problem: Problem): void {
    for (const sent of [...this.#events.values(), ...this.#early]) sent.abandon(problem);
  }

  #refused(refusal: RejectedEntry): void {
    const sent = this.#events.get(refusal.i);
    if (!sent) return;
    const { code, message, retry_after_ms: after_ms } = refusal;
    if (after_ms > 0 && after_ms <= MAX_RETRY_AFTER_MS && !this.#hopeless(sent, code)) {
      this.#putOff(sent, refusal);
      return;
    }
    this.#drop(sent);
    const args = this.#options.revise(sent, code);
    if (args) {
      sent.args = args;
      sent.tries = sent.silences = 0;
      this.#store(sent);
      return;
    }
    this.#reject(sent, { code, message });
  }

  /** From here on the server may know the event, and its body must not change any more. */
  #firstTime(sent: SentEvent): void {
    sent.unsent = false;
    sent.args = this.#options.refresh(sent);
    this.#measure(sent);
    this.#slot?.put(sent.i, sent.stored, this.#next);
  }

  /** Whether an event has been put off too often. */
  #hopeless(sent: SentEvent, code: number): boolean {
    if (!isAdmissionProblem(code)) return ++sent.refusals > MAX_REFUSALS;
    // Admission is about the sender, not the event: of a batch that is refused only the first counts.
    if (this.#holdUntilMs <= this.#options.clock.now()) ++this.#refusedInARow;
    return this.#refusedInARow > MAX_REFUSALS;
  }

  #putOff(sent: SentEvent, { code, message, retry_after_ms: after_ms }: RejectedEntry): void {
    const { clock } = this.#options;
    sent.silences = 0;
    sent.sentMs = null;
    sent.notBeforeMs = clock.now() + after_ms;
    if (isAdmissionProblem(code)) {
      // What stands behind would fare no better.
      this.#holdUntilMs = Math.max(this.#holdUntilMs, sent.notBeforeMs);
      this.#credit = 0;
    }
    const retry = { code, message, until: clock.wall() + after_ms };
    sent.status.set({ state: 'pending', tries: sent.tries, retry });
    this.#options.onStatus(sent);
  }

  #admitted(): void {
    this.#refusedInARow = 0;
    if (this.#credit !== null) ++this.#credit;
  }

  /** How many more events may be sent: half of what was admitted in a row may be unanswered. */
  #room(): number {
    if (this.#credit === null) return Infinity;
    let room = Math.max(1, Math.floor(this.#credit / 2));
    for (const sent of this.#events.values()) {
      if (sent.sentMs !== null && sent.status.get().state === 'pending') --room;
    }
    return room;
  }

  #store(sent: SentEvent): void {
    const i = this.#next++;
    this.#number(sent, i);
    this.#nextDirty = false;
    this.#slot?.put(i, sent.stored, this.#next);
  }

  #number(sent: SentEvent, i: number): void {
    sent.i = i;
    this.#measure(sent);
    sent.sentMs = null;
    this.#events.set(i, sent);
  }

  #measure(sent: SentEvent): number {
    const { i, kind, args, traceparent } = sent;
    sent.json = JSON.stringify({ i: i || 0xffffffff, k: kind, a: args, tp: traceparent });
    sent.jsonBytes = utf8Length(sent.json);
    return sent.jsonBytes + ENVELOPE_BYTES;
  }

  #drop(sent: SentEvent): void {
    this.#events.delete(sent.i);
    this.#slot?.remove(sent.i);
  }

  #dropOld(): void {
    const before_ms = this.#options.clock.wall() - this.#options.maxAgeMs;
    for (const sent of [...this.#events.values()]) {
      if (sent.at >= before_ms) continue;
      this.#drop(sent);
      this.#reject(sent, TOO_OLD);
      this.#changed();
    }
  }

  #reject(sent: SentEvent, problem: Problem): void {
    sent.markRejected(problem);
    this.#options.onStatus(sent);
  }

  #giveUp(sent: SentEvent): void {
    this.#reject(sent, {
      code: ClientCode.takenOver,
      message: 'Another tab has taken this event over; its answer goes there.',
    });
  }

  #changed(): void {
    this.#list = null;
    this.#watch.refresh('all');
  }
}
