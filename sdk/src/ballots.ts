/**
 * The own ballots: what was clicked, what became of it, and the receipts. A voter's changes in a
 * poll are numbered (`n`) and the highest counts; the register belongs to the account, which may
 * vote from another device too.
 */

import { Codes } from './codes.ts';
import { Family, Value } from './readable.ts';
import type { SentEvent } from './sent_event.ts';
import type { Clock, OwnBallot, Readable, Receipt, Storage } from './types.ts';
import type { CommandArgs, CommandKind, Me } from './wire.ts';

const MAX_POLLS = 256;
const MAX_RECEIPTS = 64;
/** A click overtaken by this account's other device counts again only while it is fresh. */
const FRESH_MS = 5000;
const MAX_REVISIONS = 6;

export class Ballots {
  readonly receipts = new Value<ReadonlyMap<string, Receipt>>(new Map());
  readonly #clock: Clock;
  readonly #storage: Storage;
  #shown = new Map<string, OwnBallot>();
  #highest = new Map<string, number>();
  /** The highest number that has been sent from here or is on record. */
  #sent = new Map<string, number>();
  #newest = new Map<string, SentEvent>();
  #revisions = new WeakMap<SentEvent, number>();
  #key = '';
  readonly #watch = new Family<string, OwnBallot | undefined>((poll) => this.#shown.get(poll));

  constructor(clock: Clock, storage: Storage) {
    this.#clock = clock;
    this.#storage = storage;
  }

  of(poll: string): Readable<OwnBallot | undefined> {
    return this.#watch.of(poll);
  }

  /** Reads the receipts of this account in this episode. */
  open(prefix: string): void {
    this.#key = `${prefix}receipts`;
    const kept = new Map<string, Receipt>();
    try {
      const list: unknown = JSON.parse(this.#storage.get(this.#key) ?? '[]');
      if (Array.isArray(list)) for (const one of list) if (isReceipt(one)) kept.set(one.poll, one);
    } catch {
      // Unreadable receipts are as good as none; the welcome brings those that matter.
    }
    for (const [poll, receipt] of this.receipts.get()) kept.set(poll, receipt);
    this.receipts.set(kept);
  }

  /** The number for the next change of this account in `poll`. */
  nextNumber(poll: string): number {
    return (this.#highest.get(poll) ?? 0) + 1;
  }

  /** A ballot was clicked, or found in the outbox after a reload. */
  added(sent: SentEvent<'poll.vote'>): void {
    const { poll, n } = sent.args;
    this.#saw(poll, n);
    if (!sent.unsent) this.#sent.set(poll, Math.max(n, this.#sent.get(poll) ?? 0));
    const before = this.#newest.get(poll)?.args as CommandArgs['poll.vote'] | undefined;
    if (before && before.n > n) return;
    this.#newest.set(poll, sent as SentEvent);
    bound(this.#newest, MAX_POLLS);
    this.changed(sent);
  }

  /** The arguments of a ballot that now goes out for the first time. */
  refresh(sent: SentEvent<'poll.vote'>): CommandArgs['poll.vote'] {
    const { poll, n } = sent.args;
    const number = Math.max(n, (this.#sent.get(poll) ?? 0) + 1);
    this.#sent.set(poll, number);
    bound(this.#sent, MAX_POLLS);
    this.#saw(poll, number);
    return number === n ? sent.args : { ...sent.args, n: number };
  }

  /** The status of a ballot changed. */
  changed(sent: SentEvent<'poll.vote'>): void {
    const { poll, choice, n } = sent.args;
    const status = sent.status.get();
    if (status.state === 'confirmed' && status.hash !== undefined) {
      this.#keep({ poll, choice, n, log: status.log, hash: status.hash });
    }
    if (this.#newest.get(poll) !== (sent as SentEvent)) return;
    const ballot: OwnBallot = { choice, n, status: status.state };
    if (status.state === 'confirmed') {
      ballot.receipt =
        status.hash === undefined ? { log: status.log } : { log: status.log, hash: status.hash };
    } else if (status.state === 'rejected') {
      ballot.problem = { code: status.code, message: status.message };
    }
    this.#show(poll, ballot);
  }

  /** What the server has on record for this account. Clicks on their way stay what they are. */
  welcomed(me: Me): void {
    for (const [poll, { choice, n, log, hash }] of Object.entries(me.ballots)) {
      this.#saw(poll, n);
      this.#sent.set(poll, Math.max(n, this.#sent.get(poll) ?? 0));
      this.#keep({ poll, choice, n, log, hash });
      const newest = this.#newest.get(poll);
      if (newest && !newest.settled) continue;
      if ((this.#shown.get(poll)?.n ?? 0) > n) continue;
      this.#show(poll, { choice, n, status: 'confirmed', receipt: { log, hash } });
    }
  }

  /** New arguments for a ballot that another device of this account has overtaken, or null. */
  revise(sent: SentEvent<'poll.vote'>, code: number): CommandArgs['poll.vote'] | null {
    const { poll, n } = sent.args;
    const revisions = this.#revisions.get(sent as SentEvent) ?? 0;
    if (code !== Codes.VoteSuperseded || revisions >= MAX_REVISIONS) return null;
    if (this.#newest.get(poll) !== (sent as SentEvent) || sent.clickedMs === null) return null;
    if (this.#clock.now() - sent.clickedMs > FRESH_MS) return null;
    this.#revisions.set(sent as SentEvent, revisions + 1);
    const higher = Math.max(n, this.#highest.get(poll) ?? 0) + 2 ** revisions;
    this.#saw(poll, higher);
    this.#sent.set(poll, higher);
    return { ...sent.args, n: higher };
  }

  #saw(poll: string, n: number): void {
    this.#highest.set(poll, Math.max(n, this.#highest.get(poll) ?? 0));
    bound(this.#highest, MAX_POLLS);
  }

  #show(poll: string, ballot: OwnBallot): void {
    this.#shown.delete(poll);
    this.#shown.set(poll, ballot);
    bound(this.#shown, MAX_POLLS);
    this.#watch.refresh(poll);
  }

  #keep(receipt: Receipt): void {
    const before = this.receipts.get().get(receipt.poll);
    if (before && (before.n > receipt.n || before.hash === receipt.hash)) return;
    const receipts = new Map(this.receipts.get());
    receipts.delete(receipt.poll);
    receipts.set(receipt.poll, receipt);
    bound(receipts, MAX_RECEIPTS);
    this.receipts.set(receipts);
    if (!this.#key) return;
    try {
      this.#storage.set(this.#key, JSON.stringify([...receipts.values()]));
    } catch {
      // The receipt stays in memory, and the server gives it again with the next welcome.
    }
  }
}

function bound<V>(map: Map<string, V>, limit: number): void {
  while (map.size > limit) map.delete(map.keys().next().value as string);
}

function isReceipt(value: unknown): value is Receipt {
  const { poll, choice, n, log, hash } = (value ?? {}) as Record<string, unknown>;
  const texts = typeof poll === 'string' && typeof hash === 'string';
  return texts && Array.isArray(choice) && Number.isSafeInteger(n) && Number.isSafeInteger(log);
}

export function isVote(sent: { kind: CommandKind }): sent is SentEvent<'poll.vote'> {
  return sent.kind === 'poll.vote';
}
