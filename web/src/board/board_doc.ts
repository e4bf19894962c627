// What a map board is made of (docs/formats/board.md): reads and writes of its document. Whatever
// stands in it was written by anyone, so reads give something sensible or nothing.
import * as Y from 'yjs';
import {
  assemble,
  from_base64,
  pieces_of,
  read_note,
  to_base64,
  type ImageNote,
  type Prepared,
} from './map_image';
import type { Light, Point, Portal, Uvtt } from './uvtt';

export interface Token {
  id: string;
  name: string;
  /** Upper left corner, in squares. */
  x: number;
  y: number;
  /** Side, in squares. */
  size: number;
  color: number;
  hidden: boolean;
  /** Of tokens that are no character: theirs are the log's. */
  hp: number | null;
  hp_max: number | null;
}
export interface Wall {
  kind: 'wall' | 'object';
  points: Point[];
}
export interface MapInfo {
  columns: number;
  rows: number;
  grid: boolean;
  /** Of the map's file: its upper left corner, in squares. */
  origin: Point;
  pixels_per_grid: number;
  image: ImageNote | null;
  name: string;
}

/** As --pen-0 … in styles/board.css. */
export const kPens = [
  '#e8a33d',
  '#d9485f',
  '#4f9bd8',
  '#57a86b',
  '#9a6fd0',
  '#d97fb5',
  '#3fb0ac',
  '#8d8478',
] as const;
export const kColors = kPens.length;
export const kTokensAtMost = 200;
const kBatch = 200;

export class BoardDoc {
  readonly doc: Y.Doc;
  readonly map;
  readonly assets;
  readonly walls;
  readonly portals;
  readonly lights;
  readonly fog;
  readonly tokens;
  readonly drawing;
  readonly notes;
  readonly initiative;
  readonly turn;
  /** Origin of what is done here, for undo. */
  readonly origin = {};

  constructor(doc: Y.Doc) {
    this.doc = doc;
    this.map = doc.getMap('map');
    this.assets = doc.getMap('assets');
    this.walls = doc.getMap('walls');
    this.portals = doc.getMap('portals');
    this.lights = doc.getMap('lights');
    this.fog = doc.getMap('fog');
    this.tokens = doc.getMap('tokens');
    this.drawing = doc.getMap('drawing');
    this.notes = doc.getMap('notes');
    this.initiative = doc.getMap('initiative');
    this.turn = doc.getMap('turn');
  }

  edit<T>(run: () => T): T {
    return this.doc.transact(run, this.origin);
  }

  // Map -------------------------------------------------------------------------------------------

  info(): MapInfo {
    const size = (this.map.get('size') ?? {}) as Partial<Point>;
    const origin = (this.map.get('origin') ?? {}) as Partial<Point>;
    const name = this.map.get('name');
    return {
      columns: within(size.x, 1, 500, 24),
      rows: within(size.y, 1, 500, 16),
      grid: this.map.get('grid') !== false,
      origin: { x: within(origin.x, -1e6, 1e6, 0), y: within(origin.y, -1e6, 1e6, 0) },
      pixels_per_grid: within(this.map.get('ppg'), 1, 4096, 70),
      image: read_note(this.map.get('image')),
      name: typeof name === 'string' ? name : '',
    };
  }

  image_bytes(note: ImageNote): Uint8Array | null {
    return assemble(this.assets, note);
  }

  /** A picture of one's own, `columns` squares wide. */
  use_picture(picture: Prepared, columns: number, name: string): void {
    const ppg = picture.w / columns;
    this.#clear_map();
    this.#put_image(picture);
    this.edit(() => {
      this.map.set('size', {
        x: columns,
        y: Math.max(1, Math.round((picture.h / ppg) * 100) / 100),
      });
      this.map.set('origin', { x: 0, y: 0 });
      this.map.set('ppg', ppg);
      this.map.set('name', name.slice(0, 80));
      this.map.set('format', 0.3);
      this.map.set('uvtt', {});
    });
  }

  /** A Universal VTT map; `picture` is its image, made small enough. */
  use_uvtt(file: Uvtt, picture: Prepared | null, name: string): void {
    this.#clear_map();
    if (picture) this.#put_image(picture);
    const { resolution, format, more } = file;
    this.edit(() => {
      this.map.set('size', resolution.map_size);
      this.map.set('origin', resolution.map_origin);
      this.map.set(
        'ppg',
        Math.round(resolution.pixels_per_grid * (picture?.scale ?? 1) * 1e6) / 1e6,
      );
      this.map.set('name', name.slice(0, 80));
      this.map.set('format', format);
      this.map.set('uvtt', more);
    });
    const walls = [
      ...file.line_of_sight.map((points): Wall => ({ kind: 'wall', points })),
      ...file.objects_line_of_sight.map((points): Wall => ({ kind: 'object', points })),
    ];
    this.#put_all(this.walls, walls);
    this.#put_all(this.portals, file.portals);
    this.#put_all(this.lights, file.lights);
  }

  /** The map as a file; what came in by one goes out as it was, with what was changed since. */
  to_uvtt(): Uvtt {
    const info = this.info();
    const walls = sorted<Wall>(this.walls);
    const lines = (kind: Wall['kind']): Point[][] =>
      walls.filter((wall) => wall.kind === kind).map(({ points }) => points);
    const bytes = info.image ? this.image_bytes(info.image) : null;
    const more = this.map.get('uvtt');
    return {
      format: within(this.map.get('format'), 0, 99, 0.3),
      resolution: {
        map_origin: info.origin,
        map_size: { x: info.columns, y: info.rows },
        pixels_per_grid: info.pixels_per_grid,
      },
      line_of_sight: lines('wall'),
      objects_line_of_sight: lines('object'),
      portals: sorted<Portal>(this.portals),
      lights: sorted<Light>(this.lights),
      image: bytes ? to_base64(bytes) : '',
      more: typeof more === 'object' && more !== null ? (more as Record<string, unknown>) : {},
    };
  }

  clear_map(): void {
    this.#clear_map();
  }

  #clear_map(): void {
    this.edit(() => {
      for (const all of [this.assets, this.walls, this.portals, this.lights, this.fog]) {
        for (const key of [...all.keys()]) if (key !== 'on') all.delete(key);
      }
      this.map.delete('image');
    });
  }

  #put_image(picture: Prepared): void {
    const id = new_id();
    const pieces = pieces_of(id, picture.bytes);
    for (const [key, piece] of pieces) this.edit(() => this.assets.set(key, piece));
    const { type, w, h } = picture;
    this.edit(() => this.map.set('image', { id, type, w, h, pieces: pieces.length }));
  }

  /** In few transactions, none of them large; the keys keep the order. */
  #put_all(all: Y.Map<unknown>, values: readonly unknown[]): void {
    for (let at = 0; at < values.length; at += kBatch) {
      this.edit(() =>
        values
          .slice(at, at + kBatch)
          .forEach((value, k) => all.set(String(at + k).padStart(5, '0'), value)),
      );
    }
  }

  toggle_portal(id: string): void {
    const portal = this.portals.get(id) as Portal | undefined;
    if (portal) this.edit(() => this.portals.set(id, { ...portal, closed: !portal.closed }));
  }

  // Tokens ----------------------------------------------------------------------------------------

  token(id: string): Token | null {
    const token = this.tokens.get(id);
    if (!(token instanceof Y.Map)) return null;
    const at = token.get('at');
    const [x, y] = Array.isArray(at) ? at : [0, 0];
    const hp = token.get('hp');
    const hp_max = token.get('hp_max');
    const name = token.get('name');
    return {
      id,
      name: typeof name === 'string' ? name.slice(0, 80) : id,
      x: within(x, -1000, 1000, 0),
      y: within(y, -1000, 1000, 0),
      size: within(token.get('size'), 0.25, 8, 1),
      color: Math.floor(within(token.get('color'), 0, kColors - 1, 0)),
      hidden: token.get('hidden') === true,
      hp: typeof hp === 'number' ? hp : null,
      hp_max: typeof hp_max === 'number' && hp_max > 0 ? hp_max : null,
    };
  }

  all_tokens(): Token[] {
    return [...this.tokens.keys()].flatMap((id) => this.token(id) ?? []).slice(0, kTokensAtMost);
  }

  add_token(
    id: string,
    fields: { name: string; at: [number, number]; size?: number; color?: number },
  ): void {
    this.edit(() =>
      this.tokens.set(id, new Y.Map(Object.entries({ size: 1, color: 0, ...fields }))),
    );
  }

  move_token(id: string, x: number, y: number): void {
    const token = this.tokens.get(id);
    if (!(token instanceof Y.Map)) return;
    const [now_x, now_y] = (token.get('at') ?? []) as number[];
    if (now_x === x && now_y === y) return;
    this.edit(() => token.set('at', [x, y]));
  }

  set_token(id: string, fields: Record<string, unknown>): void {
    const token = this.tokens.get(id);
    if (!(token instanceof Y.Map)) return;
    this.edit(() => {
      for (const [key, value] of Object.entries(fields)) {
        if (value === null) token.delete(key);
        else if (token.get(key) !== value) token.set(key, value);
      }
    });
  }

  // Notes -----------------------------------------------------------------------------------------

  add_note(title: string): string {
    const id = new_id();
    const note = new Y.Map<unknown>();
    this.edit(() => {
      this.notes.set(id, note);
      note.set('title', title);
      note.set('body', new Y.XmlFragment());
    });
    return id;
  }

  note_body(id: string): Y.XmlFragment | null {
    const note = this.notes.get(id);
    const body = note instanceof Y.Map ? note.get('body') : null;
    return body instanceof Y.XmlFragment ? body : null;
  }
}

/** Decodes the picture of a file; null when it has none. */
export function picture_of(file: Uvtt): Blob | null {
  const bytes = file.image ? from_base64(file.image) : null;
  return bytes ? new Blob([bytes]) : null;
}

/** The same for everyone who looks: from the person's pseudonym. */
export function hue_of(text: string): number {
  let hash = 0;
  for (const char of text) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % kColors;
}

export function new_id(): string {
  return [...crypto.getRandomValues(new Uint8Array(6))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

function sorted<T>(all: Y.Map<unknown>): T[] {
  return [...all.entries()]
    .filter(([, value]) => typeof value === 'object' && value !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value as T);
}

function within(value: unknown, low: number, high: number, otherwise: number): number {
  return typeof value === 'number' && value >= low && value <= high ? value : otherwise;
}
