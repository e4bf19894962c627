// One board as Svelte sees it: the SDK's provider, the parts of its document as reactive values, who
// is there, undo, and what became of one's own edits.
import type { Character, Client } from '@footlight/client';
import {
  yjsProvider,
  type BoardState,
  type FootlightBoard,
  type Right,
} from '@footlight/client/yjs';
import * as Y from 'yjs';
import type { Show } from '../lib/show.svelte';
import { BoardDoc, hue_of, kColors, kPens, type MapInfo, type Token } from './board_doc';
import { combatants, turn_of, type Combatant, type Turn } from './initiative';

/** What one tells of oneself while it lasts; never in the document. */
export interface Presence {
  /** `color` as editors with a Yjs binding want it; `hue` is its number here. */
  user: { name: string; color: string; hue: number };
  /** Where the pointer is, in squares. */
  at?: [number, number] | null;
  /** The token under the hand. */
  drag?: { id: string; x: number; y: number } | null;
}
export interface Person extends Presence {
  client: number;
  me: boolean;
}
export interface Mark {
  text: string;
  until_ms: number;
}

const kMarkMs = 12_000;
const kPeopleAtMost = 64;

export class Table {
  readonly show: Show;
  readonly provider: FootlightBoard;
  readonly #mirror: FootlightBoard;

  board = $state.raw() as BoardDoc;
  state = $state.raw<BoardState>({ name: 'offline' });
  pending = $state(0);
  /** It has been live once: from then on the last picture stays through every outage. */
  was_live = $state(false);
  info = $state.raw() as MapInfo;
  tokens = $state.raw<readonly Token[]>([]);
  order = $state.raw<readonly Combatant[]>([]);
  turn = $state.raw<Turn>({ id: '', round: 0 });
  notes = $state.raw<readonly { id: string; title: string }[]>([]);
  people = $state.raw<readonly Person[]>([]);
  /** Their pointers and what they drag, by client, as of this frame; not reactive. */
  readonly where = new Map<number, Presence>();
  characters = $state.raw<ReadonlyMap<string, Character>>(new Map());
  /** What the server wrote over, by token. */
  overruled = $state.raw<ReadonlyMap<string, Mark>>(new Map());
  /** What was typed into edits that were refused, to copy it. */
  refused = $state.raw<readonly { id: number; why: string; texts: string[] }[]>([]);
  can_undo = $state(false);
  can_redo = $state(false);
  /** Counts changes of what the canvas shows. */
  painted = $state(0);
  /** Counts what may change the marks of pending edits. */
  marked = $state(0);
  rights = $state(0);

  #undo!: Y.UndoManager;
  #endings: (() => void)[] = [];
  #unbind: () => void = () => {};
  #next_id = 1;

  constructor(show: Show, client: Client, id: string) {
    this.show = show;
    this.provider = yjsProvider(client, id);
    this.#mirror = yjsProvider(client, '$state');
    this.#bind(this.provider.doc.get());
    const { provider } = this;
    this.#endings = [
      provider.state.subscribe((state) => {
        this.state = state;
        if (state.name === 'live') this.was_live = true;
      }),
      provider.pending.subscribe((pending) => {
        this.pending = pending;
        this.marked++;
      }),
      provider.info.subscribe(() => this.rights++),
      provider.on('reset', ({ doc }) => this.#bind(doc)),
      provider.on('refused', ({ code, message, path, texts }) => {
        const where = path ? ` at ${path}` : '';
        const why = `${message} (${code}${where})`;
        this.show.notify('bad', `The table did not take your edit: ${why}`);
        if (texts.length > 0)
          this.refused = [...this.refused.slice(-3), { id: this.#next_id++, why, texts }];
      }),
      provider.on('overruled', (edits) => {
        const marks = new Map(this.overruled);
        for (const { path, value, was, why } of edits) {
          const [, id = '', field = ''] = path.split('/');
          const name = this.board.token(id)?.name ?? id;
          const text = `${name}: ${field} is ${String(value)}, not ${String(was)}. ${why}`;
          marks.set(id, { text, until_ms: this.show.client.serverNow() + kMarkMs });
          this.show.notify('bad', `Set back by the log. ${text}`);
        }
        this.overruled = marks;
      }),
      provider.on('problem', ({ code, message }) => show.notify('bad', `${message} (${code})`)),
      this.#follow_state(),
      this.#follow_people(),
    ];
  }

  close(): void {
    for (const end of this.#endings) end();
    this.#unbind();
    this.provider.close();
    this.#mirror.close();
  }

  // Who may -----------------------------------------------------------------------------------------

  may(right: Right, path: string): boolean {
    void this.rights;
    return this.provider.may(right, path);
  }
  get may_map(): boolean {
    return this.may('change', 'map/image') || this.may('insert', 'map/image');
  }
  get may_fog(): boolean {
    return this.may('insert', 'fog/x') && this.may('change', 'fog/x');
  }

  is_pending(id: string): boolean {
    void this.marked;
    const token = this.board.tokens.get(id);
    if (this.provider.isPending(this.board.tokens, id)) return true;
    return token instanceof Y.Map && this.provider.isPending(token);
  }

  // Undo --------------------------------------------------------------------------------------------

  /** What is done from here on is undone in one step. */
  begin_step(): void {
    this.#undo.stopCapturing();
  }
  undo(): void {
    this.#undo.undo();
  }
  redo(): void {
    this.#undo.redo();
  }

  /** One step of undo. */
  edit(run: (board: BoardDoc) => void): void {
    this.begin_step();
    this.board.edit(() => run(this.board));
    this.begin_step();
  }

  // Presence ----------------------------------------------------------------------------------------

  say<K extends keyof Presence>(field: K, value: Presence[K]): void {
    this.provider.awareness.setLocalStateField(field, value);
  }

  #introduce(name: string, who: string): void {
    const hue = hue_of(who);
    this.say('user', { name, color: kPens[hue] ?? '', hue });
  }

  // -------------------------------------------------------------------------------------------------

  #bind(doc: Y.Doc): void {
    this.#unbind();
    const board = new BoardDoc(doc);
    this.board = board;
    const parts: [Y.Map<unknown>, () => void][] = [
      [board.map, () => this.#read_map()],
      [board.tokens, () => this.#read_tokens()],
      [board.initiative, () => this.#read_order()],
      [board.turn, () => this.#read_order()],
      [board.notes, () => this.#read_notes()],
    ];
    const repaint = (): void => void this.painted++;
    const canvas = [
      board.map,
      board.assets,
      board.walls,
      board.portals,
      board.lights,
      board.fog,
      board.drawing,
    ];
    for (const [part, read] of parts) {
      part.observeDeep(read);
      read();
    }
    for (const part of canvas) part.observe(repaint);
    repaint();
    const undo = new Y.UndoManager(
      [
        board.map,
        board.portals,
        board.fog,
        board.tokens,
        board.drawing,
        board.notes,
        board.initiative,
        board.turn,
      ],
      // A gesture is a step, however long it takes: begin_step ends it.
      { trackedOrigins: new Set([board.origin]), captureTimeout: 2 ** 31 },
    );
    const changed = (): void => {
      this.can_undo = undo.canUndo();
      this.can_redo = undo.canRedo();
    };
    undo.on('stack-item-added', changed);
    undo.on('stack-item-popped', changed);
    undo.on('stack-cleared', changed);
    this.#undo = undo;
    changed();
    this.#unbind = () => {
      for (const [part, read] of parts) part.unobserveDeep(read);
      for (const part of canvas) part.unobserve(repaint);
      undo.destroy();
    };
  }

  #read_map(): void {
    this.info = this.board.info();
  }
  #read_tokens(): void {
    this.tokens = this.board.all_tokens();
    this.marked++;
  }
  #read_order(): void {
    this.order = combatants(this.board.initiative);
    this.turn = turn_of(this.board.turn);
  }
  #read_notes(): void {
    const notes: { id: string; title: string }[] = [];
    for (const [id, note] of this.board.notes.entries()) {
      const title = note instanceof Y.Map ? note.get('title') : null;
      if (note instanceof Y.Map) notes.push({ id, title: typeof title === 'string' ? title : '' });
    }
    const same =
      notes.length === this.notes.length &&
      notes.every(({ id, title }, k) => id === this.notes[k]?.id && title === this.notes[k]?.title);
    // Typing into a note is no change of the list.
    if (!same) this.notes = notes;
  }

  /** Hit points are the server's word, read from its own document. */
  #follow_state(): () => void {
    let unbind = (): void => {};
    const bind = (doc: Y.Doc): void => {
      unbind();
      const characters = doc.getMap<Character>('characters');
      const read = (): void => void (this.characters = new Map(characters.entries()));
      characters.observe(read);
      read();
      unbind = () => characters.unobserve(read);
    };
    bind(this.#mirror.doc.get());
    const end = this.#mirror.on('reset', ({ doc }) => bind(doc));
    return () => {
      end();
      unbind();
    };
  }

  #follow_people(): () => void {
    const { awareness } = this.provider;
    let asked = 0;
    const read = (): void => {
      asked = 0;
      const people: Person[] = [];
      this.where.clear();
      for (const [client, state] of awareness.getStates()) {
        const person = read_presence(state);
        if (!person) continue;
        people.push({ ...person, client, me: client === awareness.clientID });
        this.where.set(client, person);
        if (people.length >= kPeopleAtMost) break;
      }
      // Where they are changes hundreds of times a second; who they are and what they hold does not.
      const same =
        people.length === this.people.length &&
        people.every((one, k) => is_same(one, this.people[k]));
      if (!same) this.people = people;
    };
    const changed = (): void => void (asked ||= requestAnimationFrame(read));
    awareness.on('change', changed);
    const end = this.provider.state.subscribe(() => {
      const { session } = this.show;
      const name = session?.name ?? '';
      if (name) this.#introduce(name, session?.who ?? name);
    });
    return () => {
      end();
      cancelAnimationFrame(asked);
      awareness.off('change', changed);
    };
  }
}

function is_same(a: Person, b: Person | undefined): boolean {
  if (!b || a.client !== b.client || a.me !== b.me) return false;
  if (a.user.name !== b.user.name || a.user.hue !== b.user.hue) return false;
  return Boolean(a.at) === Boolean(b.at) && a.drag?.id === b.drag?.id;
}

/** Anyone may say anything there. */
function read_presence(state: Record<string, unknown>): Presence | null {
  const { user, at, drag } = state as Partial<Presence>;
  if (typeof user?.name !== 'string') return null;
  const hue = Number.isInteger(user.hue) ? Math.abs(user.hue) % kColors : 7;
  const finite = (...n: unknown[]): boolean => n.every((it) => Number.isFinite(it));
  return {
    user: { name: user.name.slice(0, 64), color: kPens[hue] ?? '', hue },
    at: Array.isArray(at) && finite(at[0], at[1]) ? [at[0], at[1]] : null,
    drag: typeof drag?.id === 'string' && finite(drag.x, drag.y) ? drag : null,
  };
}
