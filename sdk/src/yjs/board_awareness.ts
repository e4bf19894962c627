/** Who is at a board, by y-protocols: tells the own state while it changes, hears the others'. */

import {
  applyAwarenessUpdate,
  Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness';
import * as Y from 'yjs';
import { Timers } from '../timers.ts';
import type { BoardPort } from '../types.ts';
import { writeFrame } from './messages.ts';

/** While it changes, the newest state goes out this often. */
const EVERY_MS = 30;

interface Change {
  added: number[];
  updated: number[];
  removed: number[];
}

export class BoardAwareness {
  readonly awareness: Awareness;
  readonly #port: BoardPort;
  readonly #timers: Timers;
  /** Bytes a state may have; 0 while the board is not open. */
  #limit = 0;
  #unsaid = false;

  constructor(doc: Y.Doc, port: BoardPort) {
    this.#port = port;
    this.#timers = new Timers(port.clock);
    // On a document of its own: the board's may be replaced and destroyed.
    this.awareness = new Awareness(new Y.Doc());
    this.awareness.doc = doc;
    this.use(doc.clientID);
    this.awareness.on('update', (change: Change, origin: unknown) => this.#changed(change, origin));
  }

  /** It goes by the client id that edits are made under. */
  use(client: number): void {
    const { awareness } = this;
    const former = awareness.clientID;
    if (former === client) return;
    const state = awareness.getLocalState();
    removeAwarenessStates(awareness, [former], this);
    this.say(former);
    awareness.clientID = client;
    // A first clock of 0 would be taken for one that is known.
    if (!awareness.meta.has(client)) awareness.meta.set(client, { clock: 0, lastUpdated: 0 });
    awareness.setLocalState(state);
  }

  open(limit_bytes: number): void {
    this.#limit = limit_bytes;
    this.say();
    this.#port.sendFrame(writeFrame({ kind: 'query' }));
  }

  heard(update: Uint8Array): void {
    applyAwarenessUpdate(this.awareness, update, this);
  }

  /** The session is gone, and so is everyone else. */
  lost(): void {
    this.#limit = 0;
    this.#timers.clearAll();
    const { awareness } = this;
    const others = [...awareness.getStates().keys()].filter((id) => id !== awareness.clientID);
    removeAwarenessStates(awareness, others, this);
  }

  close(): void {
    this.awareness.destroy();
    this.say();
    this.#timers.clearAll();
  }

  say(client = this.awareness.clientID): void {
    const { awareness } = this;
    if (!this.#limit || !this.#port.writable || !awareness.meta.has(client)) return;
    const update = encodeAwarenessUpdate(awareness, [client]);
    if (update.length > this.#limit) return;
    this.#port.sendFrame(writeFrame({ kind: 'awareness', update }));
  }

  #changed({ added, updated, removed }: Change, origin: unknown): void {
    const { clientID } = this.awareness;
    if (origin === this) return;
    if (![added, updated, removed].some((ids) => ids.includes(clientID))) return;
    this.#unsaid = true;
    if (this.#limit && !this.#timers.has('say')) this.#sayChange();
  }

  #sayChange(): void {
    if (!this.#unsaid) return;
    this.#unsaid = false;
    this.say();
    this.#timers.set('say', EVERY_MS, () => this.#sayChange());
  }
}
