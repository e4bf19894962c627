/**
 * One board: a Yjs document shared through a Footlight session.
 *
 *   offline → opening → syncing → live        any: offline when the session is lost, closed by close()
 *
 * An edit made here is *pending* until the server says that it is durable; it is kept in storage and
 * sent again until then, over reconnects and reloads. A *refused* edit cannot be taken out of a Yjs
 * document again: the document is replaced by one with the server's state, into which all edits but
 * the refused one are carried over. An *overruled* edit was taken, and then written over by the
 * server, because the event log says otherwise.
 */

import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { ClientCode, isAdmissionProblem } from '../problems.ts';
import { Emitter, Value } from '../readable.ts';
import { Timers } from '../timers.ts';
import type { BoardPort, Client, Problem, Readable, Unsubscribe } from '../types.ts';
import { BoardAwareness } from './board_awareness.ts';
import { CarryOver, textsOf } from './carry_over.ts';
import {
  EMPTY_UPDATE,
  mayDo,
  readFrame,
  readWord,
  writeFrame,
  type BoardInfo,
  type BoardWord,
  type Overruled,
  type Right,
} from './messages.ts';
import { PendingEdits, type Edit } from './pending_edits.ts';
import { PendingStore } from './pending_store.ts';

const MESSAGE_BYTES = 64 * 1024;
const RETRY_MS = 1000;
const HELD_MS = 5000;
const FRAME_BYTES = 256;
const NOT_OPEN = 4629;
const TOO_LARGE = 4624;

export type BoardState =
  /** No session; edits are kept. */
  | { name: 'offline' }
  /** Opening, or waiting for the server's state. */
  | { name: 'syncing' }
  /** The document is the server's plus what is pending. */
  | { name: 'live' }
  /** The board cannot be opened. Tried again after a reconnect. */
  | ({ name: 'refused' } & Problem)
  | { name: 'closed' };

/** Edits that did not come to be, and will not. */
export interface BoardRefusal extends Problem {
  /** The path that was refused, `tokens/ogre/hp`; '' when the reason was no right. */
  path: string;
  /** What was typed into them: text, and strings of values. */
  texts: string[];
  /** The edits themselves, v1 updates against `before`. */
  updates: Uint8Array[];
  /** The old document, as it was on screen; nobody's any more. */
  before: Y.Doc;
  /** The document now. */
  doc: Y.Doc;
}

export interface BoardEvents {
  /** The document was replaced: bind editors and undo managers anew. Comes before `refused`. */
  reset: { doc: Y.Doc; before: Y.Doc };
  refused: BoardRefusal;
  overruled: readonly Overruled[];
  problem: Problem;
}

type Refused = Pick<BoardRefusal, 'code' | 'message' | 'path' | 'texts' | 'updates'>;

export class FootlightBoard {
  readonly id: string;
  readonly state = new Value<BoardState>({ name: 'offline' });
  /** What the server told at opening: rights, title, limits. */
  readonly info = new Value<BoardInfo | null>(null);

  readonly #doc: Value<Y.Doc>;
  readonly #presence: BoardAwareness;
  readonly #port: BoardPort;
  readonly #timers: Timers;
  readonly #pending = new PendingEdits();
  readonly #store: PendingStore;
  readonly #events = new Emitter<BoardEvents>();
  /** Client ids written under here. */
  readonly #own = new Set<number>();
  /** The document that takes over once it has the server's state. */
  #next: Y.Doc | null = null;
  #refusals: Refused[] = [];
  #gen = 0;
  /** Whether the document has ever held the server's state of `#gen`. */
  #filled = false;
  /** Edits of an earlier page, to be applied when what they build on is there. */
  #restored: Edit[] = [];
  #synced = false;
  /** The server has to say what it has before anything is sent. */
  #held = true;
  /** The server's state vector, when it asked before we could answer. */
  #asked: Uint8Array | null = null;
  #round = 0;
  #storage_failed = false;

  constructor(client: Client, id: string, doc: Y.Doc = new Y.Doc()) {
    this.id = id;
    this.#doc = new Value(doc);
    this.#port = client.board(id, {
      live: () => void this.#open(),
      lost: () => this.#lost(),
      closed: () => this.#letGo(),
      message: (message) => {
        const word = readWord(message);
        if (word) this.#heard(word);
      },
      frame: (payload) => this.#frame(payload),
    });
    this.#timers = new Timers(this.#port.clock);
    this.#presence = new BoardAwareness(doc, this.#port);
    this.#store = new PendingStore(this.#port, id, () => this.#storageFailed());
    const before = Y.encodeStateAsUpdate(doc);
    if (before.length > EMPTY_UPDATE.length) this.#pending.add(before, 0);
    this.#watch(doc);
    if (this.#port.live) void this.#open();
  }

  /** The document. Replaced after a refusal and when the board began anew; see `reset`. */
  get doc(): Readable<Y.Doc> {
    return this.#doc;
  }
  /** Who is there, as y-protocols has it: one object through all documents. */
  get awareness(): Awareness {
    return this.#presence.awareness;
  }
  /** How many edits made here are not durable yet. */
  get pending(): Readable<number> {
    return this.#pending.count;
  }

  on<E extends keyof BoardEvents>(event: E, run: (value: BoardEvents[E]) => void): Unsubscribe {
    return this.#events.on(event, run);
  }

  /** Whether the value of `key` in `map` (or any, when none is named) was set here and is pending. */
  isPending(map: Y.Map<unknown>, key?: string): boolean {
    if (this.#pending.count.get() === 0) return false;
    const items = key === undefined ? [...map._map.values()] : [map._map.get(key)];
    return items.some((item) => item !== undefined && this.#pending.holds(item.id));
  }

  /** Whether this role may do that, by what the server told; the server decides. */
  may(right: Right, path: string): boolean {
    return mayDo(this.info.get()?.rights ?? null, right, path);
  }

  /** Leaves the board. What is pending stays in storage and goes out when it is opened again. */
  close(): void {
    if (this.state.get().name === 'closed') return;
    ++this.#round;
    this.#presence.close();
    this.#port.send({ t: 'board.close', b: this.id });
    this.#port.detach();
    this.#timers.clearAll();
    this.#doc.get().off('update', this.#onUpdate);
    this.#store.release();
    this.state.set({ name: 'closed' });
  }

  // Opening ---------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    const round = ++this.#round;
    this.#synced = false;
    this.#held = true;
    this.#asked = null;
    this.state.set({ name: 'syncing' });
    if (!this.#store.open) {
      const found = await this.#store.claim();
      if (this.state.get().name === 'closed') this.#store.release();
      const mine = [...this.#pending.all];
      for (const { n, gen, update } of found) {
        // A client that was closed and connects again finds what it still has.
        const known = mine.find((edit) => sameBytes(edit.update, update));
        if (known) known.n = n;
        else this.#restored.push(this.#pending.add(update, gen, n));
      }
      for (const edit of mine) if (!edit.n) this.#keep(edit);
    }
    if (round === this.#round) this.#ask();
  }

  #ask(): void {
    const client = (this.#next ?? this.#doc.get()).clientID;
    const gen = this.#gen ? { gen: this.#gen } : {};
    this.#port.send({ t: 'board.open', b: this.id, client, ...gen });
  }

  #opened(info: BoardInfo): void {
    this.#pending.restart();
    if (this.#gen !== info.gen && this.#filled) this.#beginAnew();
    this.#gen = info.gen;
    this.info.set(info);
    this.#dropForeign();
    this.#use(info.client);
    this.#port.sendFrame(writeFrame({ kind: 'step1', vector: Y.encodeStateVector(this.#target) }));
    this.#presence.open(info.limits.awareness_bytes);
  }

  get #target(): Y.Doc {
    return this.#next ?? this.#doc.get();
  }

  #use(client: number): void {
    this.#target.clientID = client;
    this.#own.add(client);
    this.#presence.use(client);
  }

  /** A copy of another generation, and what was made on it, is void. */
  #beginAnew(): void {
    this.#next = new Y.Doc();
    this.#filled = false;
  }

  #dropForeign(): void {
    const lost = this.#pending.replace((edit) =>
      edit.gen === 0 || edit.gen === this.#gen ? edit.update : null,
    );
    this.#restored = this.#restored.filter((edit) => !lost.includes(edit));
    this.#lose(lost, {
      code: ClientCode.boardReset,
      message: 'The board began anew; what was made on the old one cannot be added to it.',
      path: '',
    });
    // On one's own document, before its board was known.
    for (const edit of this.#pending.all) {
      if (edit.gen !== 0) continue;
      edit.gen = this.#gen;
      this.#keep(edit);
    }
  }

  #lost(): void {
    ++this.#round;
    this.#timers.clearAll();
    this.#held = true;
    this.#presence.lost();
    if (this.state.get().name !== 'closed') this.state.set({ name: 'offline' });
  }

  /** Storage is the next tab's until we are live again. */
  #letGo(): void {
    this.#store.release();
    for (const edit of this.#pending.all) edit.n = 0;
  }

  // What the server says --------------------------------------------------------------------------

  #heard(word: BoardWord): void {
    switch (word.kind) {
      case 'opened':
        this.#opened(word.info);
        break;
      case 'ack':
        for (const edit of this.#pending.acked(word.n)) this.#forget(edit);
        break;
      case 'held':
        this.#held = true;
        this.#pending.held(word.n);
        // It asks when it can take more. Should that be lost, opening anew makes it ask.
        this.#timers.set('held', word.wait_ms + HELD_MS, () => void this.#reopen());
        break;
      case 'refused':
        this.#refused(word);
        break;
      case 'reset':
        this.#beginAnew();
        this.#reopen(word);
        break;
      case 'overruled':
        this.#events.emit('overruled', word.edits);
        break;
      case 'failed':
        this.#failed(word);
    }
  }

  #failed({ code, message, wait_ms }: BoardWord & { kind: 'failed' }): void {
    if (this.#synced && code !== NOT_OPEN) {
      this.#events.emit('problem', { code, message });
    } else if (code === NOT_OPEN || wait_ms > 0 || isAdmissionProblem(code)) {
      this.#held = true;
      this.#timers.set('open', Math.max(wait_ms, RETRY_MS), () => void this.#open());
    } else {
      this.state.set({ name: 'refused', code, message });
    }
  }

  #refused({ n, code, message, path, client, gen }: BoardWord & { kind: 'refused' }): void {
    this.#lose(this.#pending.refused(n), { code, message, path });
    this.#next = new Y.Doc();
    this.#reopen({ client, gen });
  }

  /** Opens anew, so that the numbers of messages begin anew too. */
  #reopen(as?: { client: number; gen: number }): void {
    if (as) {
      this.#target.clientID = as.client;
      this.#gen = as.gen;
    }
    this.#port.send({ t: 'board.close', b: this.id });
    void this.#open();
  }

  #lose(edits: Edit[], reason: Problem & { path: string }): void {
    if (edits.length === 0) return;
    for (const edit of edits) this.#forget(edit);
    const updates = edits.map((edit) => edit.update);
    this.#refusals.push({ ...reason, updates, texts: updates.flatMap(textsOf) });
  }

  #frame(payload: Uint8Array): void {
    const frame = readFrame(payload);
    if (!frame || this.state.get().name === 'closed') return;
    try {
      switch (frame.kind) {
        case 'step1':
          if (this.#synced) this.#answer(frame.vector);
          else this.#asked = frame.vector;
          break;
        case 'step2':
          Y.applyUpdate(this.#target, frame.update, this);
          if (!this.#synced) this.#arrived();
          break;
        case 'update':
          Y.applyUpdate(this.#target, frame.update, this);
          break;
        case 'awareness':
          this.#presence.heard(frame.update);
          break;
        case 'query':
          this.#presence.say();
      }
    } catch (error) {
      const message = `A message of the board ${this.id} could not be read: ${String(error)}`;
      this.#events.emit('problem', { code: ClientCode.badServerFrame, message });
    }
  }

  /** The server's state is there. */
  #arrived(): void {
    this.#synced = this.#filled = true;
    if (this.#next) this.#takeOver(this.#next);
    for (const { update } of this.#restored) Y.applyUpdate(this.#doc.get(), update, this);
    this.#restored = [];
    this.#use(this.info.get()?.client ?? this.#doc.get().clientID);
    this.state.set({ name: 'live' });
    for (const one of this.#refusals.splice(0)) this.#tellLoss(one, this.#doc.get());
    if (this.#asked) this.#answer(this.#asked);
    this.#asked = null;
  }

  #takeOver(next: Y.Doc): void {
    const before = this.#doc.get();
    const client = next.clientID;
    const carrying = new CarryOver(next, client);
    // Yjs warns, and takes another id, when it sees its own come from elsewhere.
    next.clientID = 0;
    const lost = this.#pending.replace((edit) => carrying.carry(edit.update, this));
    for (const edit of this.#pending.all) this.#keep(edit);
    next.clientID = client;
    this.#restored = [];
    this.#next = null;
    const [first] = this.#refusals;
    this.#lose(lost, {
      code: first?.code ?? ClientCode.boardReset,
      message: 'It builds on an edit that was refused.',
      path: first?.path ?? '',
    });
    before.off('update', this.#onUpdate);
    this.#watch(next);
    this.awareness.doc = next;
    this.#doc.set(next);
    this.#events.emit('reset', { doc: next, before });
    for (const one of this.#refusals.splice(0)) this.#tellLoss(one, before);
  }

  #tellLoss(one: Refused, before: Y.Doc): void {
    this.#events.emit('refused', { ...one, before, doc: this.#doc.get() });
  }

  // Sending ---------------------------------------------------------------------------------------

  #watch(doc: Y.Doc): void {
    doc.on('update', this.#onUpdate);
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown, doc: Y.Doc): void => {
    if (origin === this) return;
    this.#own.add(doc.clientID);
    const ready = this.#synced && !this.#held;
    const merged = ready ? null : this.#pending.addToLast(update, this.#gen);
    this.#keep(merged ?? this.#pending.add(update, this.#gen));
    if (ready) this.#send();
  };

  /** The server has told what it has; what it lacks is what is pending. */
  #answer(vector: Uint8Array): void {
    if (this.#dropTooLarge()) return;
    this.#timers.clear('held');
    this.#held = false;
    this.#pending.sendAgain();
    const doc = this.#doc.get();
    let update: Uint8Array | null;
    if (this.#covers(vector, doc)) {
      update = this.#pending.nextMessage(MESSAGE_BYTES);
      if (!update) this.#pending.message([]);
    } else {
      // It was restored from before what it had acknowledged.
      update = Y.encodeStateAsUpdate(doc, vector);
      this.#pending.message(this.#pending.all);
    }
    this.#port.sendFrame(writeFrame({ kind: 'step2', update: update ?? EMPTY_UPDATE }));
    this.#send();
  }

  /** Whether the pending edits are all that the server lacks of what was written here. */
  #covers(vector: Uint8Array, doc: Y.Doc): boolean {
    const has = Y.decodeStateVector(vector);
    return [...this.#own].every((client) => {
      const clock = has.get(client) ?? 0;
      return Y.getState(doc.store, client) <= clock || this.#pending.holds({ client, clock });
    });
  }

  /** An edit that no message can hold would end the session each time it is sent. */
  #dropTooLarge(): boolean {
    const most = this.info.get()?.limits.update_bytes ?? MESSAGE_BYTES;
    // Base64 takes four bytes for three; the rest is the frame around it.
    const limit = (this.#port.binary ? most : Math.floor(most * 0.75)) - FRAME_BYTES;
    const large = this.#pending.take((edit) => edit.update.length > limit);
    if (large.length === 0) return false;
    const message = `The edit is larger than the ${limit} bytes a message holds.`;
    this.#lose(large, { code: TOO_LARGE, message, path: '' });
    this.#next = new Y.Doc();
    this.#reopen();
    return true;
  }

  #send(): void {
    if (this.#dropTooLarge()) return;
    for (;;) {
      const update = this.#pending.nextMessage(MESSAGE_BYTES);
      if (!update) break;
      this.#port.sendFrame(writeFrame({ kind: 'update', update }));
    }
  }

  #keep(edit: Edit): void {
    if (!this.#store.open) return;
    edit.n = this.#store.put(edit.gen, edit.update, edit.n || undefined);
  }
  #forget(edit: Edit): void {
    if (edit.n) this.#store.remove(edit.n);
    edit.n = 0;
  }

  #storageFailed(): void {
    if (this.#storage_failed) return;
    this.#storage_failed = true;
    const message = 'Storage refused; edits that are not confirmed do not survive a reload.';
    this.#events.emit('problem', { code: ClientCode.storage, message });
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, k) => byte === b[k]);
}
