/**
 * `@footlight/client/yjs/fake`: boards for the fake server, on Yjs itself. Decides like the server
 * where a client can tell the difference: ids belong to accounts, nothing is kept that cannot be
 * integrated, an edit is shown to others when it is durable, a refusal costs the author's copy.
 *
 * @module
 */

import * as decoding from 'lib0/decoding';
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { base64url, fromBase64url } from '../boards.ts';
import type { FakeBoardHost, FakeServer, FakeSession } from '../fake/index.ts';
import type { BoardRequest, Patch } from '../wire.ts';
import { readFrame, writeFrame, type BoardFrame, type Overruled } from './messages.ts';

/** The server's own client id. */
const SERVER = 2 ** 53 - 1;
const MIRRORED = ['episode', 'scenes', 'story', 'polls', 'characters', 'rolls', 'timers'];

const kAll = ['insert', 'change', 'delete'];

export interface BoardVerdict {
  code: number;
  message: string;
  path?: string;
  /** Not taken rather than refused: the client is asked for it again after this time. */
  retry_after_ms?: number;
}

export interface FakeBoardsOptions {
  /** Ids of the boards there are, besides `$state`. Default `table`. */
  boards?: string[];
  /** From taken to durable. Default 5 ms. */
  commitMs?: number;
  limits?: { update_bytes?: number; doc_bytes?: number; awareness_bytes?: number };
  rights?: { edit: boolean; may: string[]; rules: { path: string; may: string[] }[] };
  /** Judges an update before it is applied; null takes it. `after` is a copy with it applied. */
  judge?: (
    who: FakeSession,
    board: string,
    update: Uint8Array,
    after: Y.Doc,
  ) => BoardVerdict | null;
}

interface Board {
  doc: Y.Doc;
  gen: number;
  awareness: Awareness;
  /** Whose a client id is: an account. */
  owners: Map<number, string>;
}
interface Seat {
  session: FakeSession;
  id: string;
  client: number;
  /** Messages with an update since the opening. */
  n: number;
  /** What it sends is dropped until its next step 1. */
  deaf: boolean;
}

export class FakeBoards implements FakeBoardHost {
  /** May be changed at any time. */
  judge: NonNullable<FakeBoardsOptions['judge']>;
  /** Edits are made durable, but nobody is told. */
  loseAcks = false;
  /** Every update that was taken, as [account, board]. */
  readonly taken: [sub: string, board: string][] = [];
  readonly #options: FakeBoardsOptions;
  #server!: FakeServer;
  #boards = new Map<string, Board>();
  #seats: Seat[] = [];
  #next_client = 1000;
  #gens = 0;

  constructor(options: FakeBoardsOptions = {}) {
    this.#options = options;
    this.judge = options.judge ?? (() => null);
  }

  /** The document of a board, to look at or to write as the server (`write`). */
  doc(id = 'table'): Y.Doc {
    return this.#board(id).doc;
  }
  awareness(id = 'table'): Awareness {
    return this.#board(id).awareness;
  }

  /** An edit of the server itself, durable at once. */
  write(id: string, edit: (doc: Y.Doc) => void): void {
    const { doc } = this.#board(id);
    const had = Y.encodeStateVector(doc);
    doc.transact(() => edit(doc));
    this.#relay(id, Y.encodeStateAsUpdate(doc, had), null);
  }

  /** Tells an account that edits of its were overruled. */
  overrule(sub: string, id: string, overruled: Overruled[]): void {
    for (const seat of this.#of(id)) if (seat.session.sub === sub) this.#say(seat, { overruled });
  }

  /** The board begins anew, empty. */
  reset(id = 'table'): void {
    this.#boards.delete(id);
    const { gen } = this.#board(id);
    for (const seat of this.#of(id)) {
      seat.client = this.#fresh();
      this.#say(seat, { gen, client: seat.client, reset: true });
    }
  }

  /** What was taken since `state` (an update) is forgotten, as by a crash before it was durable. */
  restore(state: Uint8Array, id = 'table'): void {
    const board = this.#board(id);
    board.doc = new Y.Doc();
    Y.applyUpdate(board.doc, state);
    board.doc.clientID = SERVER;
  }

  // FakeBoardHost ---------------------------------------------------------------------------------

  begin(server: FakeServer): void {
    this.#server = server;
  }

  message(session: FakeSession, message: BoardRequest): void {
    if (message.t === 'board.open') this.#open(session, message);
    else if (message.t === 'board.close') this.#leave(session, message.b);
    else this.#heard(session, message.b, fromBase64url(message.d));
  }

  frame(session: FakeSession, frame: Uint8Array): void {
    const decoder = decoding.createDecoder(frame);
    if (decoding.readVarUint(decoder) !== 1) throw new RangeError('Not a frame of a board.');
    const id = decoding.readVarString(decoder);
    this.#heard(session, id, decoding.readTailAsUint8Array(decoder));
  }

  gone(session: FakeSession): void {
    for (const { id } of this.#seats.filter((seat) => seat.session === session)) {
      this.#leave(session, id);
    }
  }

  changed(patches: Patch[]): void {
    if (!this.#boards.has('$state')) return;
    const mirrored = patches.filter(([name]) => MIRRORED.includes(name));
    this.write('$state', (doc) => {
      for (const [name, key, entity] of mirrored) {
        if (entity === null) doc.getMap(name).delete(key);
        else doc.getMap(name).set(key, entity);
      }
    });
  }

  // Sessions --------------------------------------------------------------------------------------

  #open(session: FakeSession, { b, client, gen }: BoardRequest & { t: 'board.open' }): void {
    const known = b === '$state' || (this.#options.boards ?? ['table']).includes(b);
    const seat: Seat = { session, id: b, client: 0, n: 0, deaf: false };
    if (!known) {
      this.#say(seat, { code: 4620, message: 'No such board.' });
      return;
    }
    this.#leave(session, b);
    const board = this.#board(b);
    const asked = typeof client === 'number' && (gen === undefined || gen === board.gen);
    const owner = asked ? board.owners.get(client) : undefined;
    const free = asked && (owner === undefined || owner === session.sub);
    seat.client = free ? client : this.#fresh();
    this.#seats.push(seat);
    const limits = { update_bytes: 262_144, doc_bytes: 4_194_304, awareness_bytes: 4096 };
    this.#say(seat, {
      ...{ client: seat.client, gen: board.gen, title: 'The table', kind: 'map' },
      rights: this.#options.rights ?? { edit: b !== '$state', may: kAll, rules: [] },
      limits: { ...limits, ...this.#options.limits },
    });
    this.#send(seat, { kind: 'step1', vector: Y.encodeStateVector(board.doc) });
  }

  #leave(session: FakeSession, id: string): void {
    const seat = this.#seats.find((one) => one.session === session && one.id === id);
    if (!seat) return;
    this.#seats = this.#seats.filter((one) => one !== seat);
    this.#forget(id, seat.client);
  }

  #forget(id: string, client: number): void {
    const { awareness } = this.#board(id);
    const meta = awareness.meta.get(client);
    if (!meta || !awareness.states.has(client)) return;
    awareness.states.delete(client);
    awareness.meta.set(client, { clock: meta.clock + 1, lastUpdated: meta.lastUpdated });
    const update = encodeAwarenessUpdate(awareness, [client]);
    for (const seat of this.#of(id)) this.#send(seat, { kind: 'awareness', update });
  }

  #heard(session: FakeSession, id: string, payload: Uint8Array): void {
    const seat = this.#seats.find((one) => one.session === session && one.id === id);
    const frame = readFrame(payload);
    if (!seat || !frame) {
      const code = seat ? 4623 : 4629;
      session.peer.send(JSON.stringify({ t: 'board', b: id, code, message: 'Not understood.' }));
      return;
    }
    const { doc, awareness } = this.#board(id);
    switch (frame.kind) {
      case 'step1':
        seat.deaf = false;
        this.#send(seat, { kind: 'step2', update: Y.encodeStateAsUpdate(doc, frame.vector) });
        break;
      case 'step2':
      case 'update':
        this.#update(seat, frame.update);
        break;
      case 'awareness':
        applyAwarenessUpdate(awareness, frame.update, seat);
        for (const other of this.#of(id)) if (other !== seat) this.#send(other, frame);
        break;
      case 'query': {
        const update = encodeAwarenessUpdate(awareness, [...awareness.getStates().keys()]);
        this.#send(seat, { kind: 'awareness', update });
      }
    }
  }

  // Updates ---------------------------------------------------------------------------------------

  #update(seat: Seat, update: Uint8Array): void {
    const n = ++seat.n;
    if (seat.deaf) return;
    const { sub } = seat.session;
    const board = this.#board(seat.id);
    const after = new Y.Doc();
    Y.applyUpdate(after, Y.encodeStateAsUpdate(board.doc));
    Y.applyUpdate(after, update);
    const verdict = this.#verdict(seat, update, board, after);
    if (verdict && verdict.retry_after_ms !== undefined) {
      this.#say(seat, { ...verdict, n });
      this.#server.clock.setTimeout(
        () => this.#send(seat, { kind: 'step1', vector: Y.encodeStateVector(board.doc) }),
        verdict.retry_after_ms,
      );
      return;
    }
    if (verdict) {
      const former = seat.client;
      seat.deaf = true;
      seat.client = this.#fresh();
      this.#say(seat, { path: '', ...verdict, n, client: seat.client, gen: board.gen });
      this.#forget(seat.id, former);
      return;
    }
    for (const client of Y.parseUpdateMeta(update).from.keys()) board.owners.set(client, sub);
    Y.applyUpdate(board.doc, update);
    this.taken.push([sub, seat.id]);
    this.#server.clock.setTimeout(() => {
      if (!this.loseAcks) this.#say(seat, { ack: n });
      this.#relay(seat.id, update, seat);
    }, this.#options.commitMs ?? 5);
  }

  #verdict(seat: Seat, update: Uint8Array, board: Board, after: Y.Doc): BoardVerdict | null {
    const { sub, role } = seat.session;
    const { structs, ds } = Y.decodeUpdate(update);
    if (structs.length === 0 && ds.clients.size === 0) return null;
    if (seat.id === '$state') return { code: 4628, message: 'Only the server writes here.' };
    for (const { id, length } of structs) {
      if (id.clock + length <= Y.getState(board.doc.store, id.client)) continue;
      if ((board.owners.get(id.client) ?? sub) === sub && id.client !== SERVER) continue;
      return { code: 4621, message: 'This client id belongs to another account.' };
    }
    if (role === 'viewer') return { code: 4622, message: 'This role may not change that.' };
    const judged = this.judge(seat.session, seat.id, update, after);
    if (judged) return judged;
    if (!after.store.pendingStructs && !after.store.pendingDs) return null;
    return { code: 4626, message: 'It builds on what is not here.', retry_after_ms: 0 };
  }

  #relay(id: string, update: Uint8Array, from: Seat | null): void {
    for (const seat of this.#of(id)) {
      if (seat !== from) this.#send(seat, { kind: 'update', update });
    }
  }

  // -----------------------------------------------------------------------------------------------

  #board(id: string): Board {
    const known = this.#boards.get(id);
    if (known) return known;
    const doc = this.#newDoc();
    const awareness = new Awareness(doc);
    // Nobody times out: time is the test's, and the awareness would look at the real clock.
    clearInterval(
      (awareness as unknown as { _checkInterval: ReturnType<typeof setInterval> })._checkInterval,
    );
    awareness.setLocalState(null);
    const board: Board = { doc, gen: 7000 + ++this.#gens, awareness, owners: new Map() };
    this.#boards.set(id, board);
    if (id === '$state') this.#mirror(doc);
    return board;
  }

  #newDoc(): Y.Doc {
    const doc = new Y.Doc();
    doc.clientID = SERVER;
    return doc;
  }

  /** As the producer sees it: roles are not told apart here. */
  #mirror(doc: Y.Doc): void {
    const view = this.#server.episode.viewFor('producer');
    for (const name of MIRRORED) {
      for (const [key, entity] of Object.entries(view[name] ?? {})) {
        doc.getMap(name).set(key, entity);
      }
    }
  }

  #of(id: string): Seat[] {
    return this.#seats.filter((seat) => seat.id === id);
  }
  #fresh(): number {
    return ++this.#next_client;
  }

  #say({ session, id }: Seat, words: object): void {
    session.peer.send(JSON.stringify({ t: 'board', b: id, ...words }));
  }

  #send({ session, id }: Seat, frame: BoardFrame): void {
    const payload = writeFrame(frame);
    if (!session.peer.sendBytes) {
      session.peer.send(JSON.stringify({ t: 'board', b: id, d: base64url(payload) }));
      return;
    }
    const name = new TextEncoder().encode(id);
    session.peer.sendBytes(Uint8Array.of(1, name.length, ...name, ...payload));
  }
}

/** Boards for `new FakeServer({ boards })`. */
export function fakeBoards(options: FakeBoardsOptions = {}): FakeBoards {
  return new FakeBoards(options);
}
