import { FootlightError } from './problems.ts';
import { Value } from './readable.ts';
import type { Confirmation, EventStatus, Problem, Sent } from './types.ts';
import type { CommandArgs, CommandKind } from './wire.ts';

/** What of an event is kept in storage. */
export interface StoredEvent<K extends CommandKind = CommandKind> {
  k: K;
  a: CommandArgs[K];
  tp: string;
  /** Local Unix milliseconds of the click. */
  at: number;
  /** 1 while it has never been sent. */
  q?: 1;
}

/** An event of the outbox with everything known about its way. */
export class SentEvent<K extends CommandKind = CommandKind> implements Sent<K> {
  readonly kind: K;
  args: CommandArgs[K];
  readonly traceparent: string;
  readonly at: number;
  i = 0;
  readonly status = new Value<EventStatus>({ state: 'pending', tries: 0 });
  readonly accepted: Promise<void>;
  readonly confirmed: Promise<Confirmation>;

  /** Monotonic milliseconds of the click; null when it was made before a reload or while offline. */
  clickedMs: number | null = null;
  /** Never sent so far, so its arguments may still be brought up to date. */
  unsent: boolean;
  tries = 0;
  /** Times sent in a row on one connection without any answer. */
  silences = 0;
  refusals = 0;
  /** Monotonic: last sending on the present connection; null when it is to be sent. */
  sentMs: number | null = null;
  /** Monotonic: not to be sent before. */
  notBeforeMs = 0;
  /** The event as it goes on the wire, made once `i` is known. */
  json = '';
  jsonBytes = 0;

  #accept!: () => void;
  #confirm!: (confirmation: Confirmation) => void;
  #refuse!: (error: FootlightError) => void;

  constructor(stored: StoredEvent<K>) {
    this.kind = stored.k;
    this.args = stored.a;
    this.traceparent = stored.tp;
    this.at = stored.at;
    this.unsent = stored.q === 1;
    let refuseAccepted!: (error: FootlightError) => void;
    let refuseConfirmed!: (error: FootlightError) => void;
    this.accepted = new Promise((resolve, reject) => {
      this.#accept = resolve;
      refuseAccepted = reject;
    });
    this.confirmed = new Promise((resolve, reject) => {
      this.#confirm = resolve;
      refuseConfirmed = reject;
    });
    this.#refuse = (error) => {
      refuseAccepted(error);
      refuseConfirmed(error);
    };
    // A page that only watches the status must not get unhandled rejections.
    this.accepted.catch(() => {});
    this.confirmed.catch(() => {});
  }

  get stored(): StoredEvent<K> {
    const { kind: k, args: a, traceparent: tp, at } = this;
    return this.unsent ? { k, a, tp, at, q: 1 } : { k, a, tp, at };
  }

  get settled(): boolean {
    const { state } = this.status.get();
    return state === 'confirmed' || state === 'rejected';
  }

  markAccepted(): void {
    this.status.set({ state: 'accepted' });
    this.#accept();
  }

  markConfirmed(confirmation: Confirmation): void {
    this.status.set({ state: 'confirmed', ...confirmation });
    this.#accept();
    this.#confirm(confirmation);
  }

  markRejected({ code, message }: Problem): void {
    this.status.set({ state: 'rejected', code, message });
    this.#refuse(new FootlightError({ code, message }));
  }

  /** The promises give up, the event does not: it is still in the outbox. */
  abandon(problem: Problem): void {
    this.#refuse(new FootlightError(problem));
  }
}
