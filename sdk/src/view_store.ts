/**
 * The view of the episode, kept current by deltas. An entity is replaced as a whole, so whoever
 * holds one holds a value that never changes. After a delta each changed entity and each collection
 * it is in is told once.
 */

import { Family } from './readable.ts';
import type { Collection, Readable, View } from './types.ts';
import type { CollectionName, Collections, DeltaMessage, Patch } from './wire.ts';

type Entities = Map<string, unknown>;
export type Changed = readonly (readonly [CollectionName, string])[];

/** Entities a view may hold of one collection; what a peer sends beyond is not taken in. */
const MAX_ENTITIES = 10_000;
const MAX_COLLECTIONS = 64;

export class ViewStore implements View {
  #epoch = 0;
  #offset = 0;
  #whole = false;
  #collections = new Map<string, Entities>();
  /** By `collection NUL id`. */
  readonly #entities = new Family<string, unknown>((key) => {
    const cut = key.indexOf('\0');
    return this.#collections.get(key.slice(0, cut))?.get(key.slice(cut + 1));
  });
  readonly #all = new Family<string, ReadonlyMap<string, unknown>>(
    (name) => this.#collections.get(name) ?? EMPTY,
  );

  get epoch(): number {
    return this.#epoch;
  }
  get offset(): number {
    return this.#offset;
  }
  /** What to resume from; null when there is no view yet. */
  get resume(): { epoch: number; off: number } | null {
    return this.#whole ? { epoch: this.#epoch, off: this.#offset } : null;
  }

  get<C extends CollectionName>(collection: C, id: string): Collections[C] | undefined {
    return this.#collections.get(collection)?.get(id) as Collections[C] | undefined;
  }
  collection<C extends CollectionName>(collection: C): Readable<Collection<C>> {
    return this.#all.of(collection) as unknown as Readable<Collection<C>>;
  }
  entity<C extends CollectionName>(
    collection: C,
    id: string,
  ): Readable<Collections[C] | undefined> {
    return this.#entities.of(`${collection}\0${id}`) as Readable<Collections[C] | undefined>;
  }
  readonly episode = this.entity('episode', 'state');

  /** What is shown stays, but nothing is resumed from it. */
  doubt(): void {
    this.#whole = false;
  }

  /** The deltas after `offset` follow, from an owner of this epoch. */
  resumed(epoch: number): void {
    this.#epoch = epoch;
  }

  /** A whole view, as a welcome brings it. Entities that did not change stay the same objects. */
  reset(epoch: number, offset: number, view: Record<string, Record<string, unknown>>): void {
    const collections = new Map<string, Entities>();
    for (const [name, entities] of Object.entries(view).slice(0, MAX_COLLECTIONS)) {
      if (typeof entities !== 'object' || entities === null) continue;
      const fresh: Entities = new Map();
      for (const [id, entity] of Object.entries(entities).slice(0, MAX_ENTITIES)) {
        if (typeof entity !== 'object' || entity === null) continue;
        const before = this.#collections.get(name)?.get(id);
        fresh.set(id, same(before, entity) ? before : entity);
      }
      const before = this.#collections.get(name);
      collections.set(name, before && sameEntries(before, fresh) ? before : fresh);
    }
    this.#collections = collections;
    this.#epoch = epoch;
    this.#offset = offset;
    this.#whole = true;
    this.#entities.refreshAll();
    this.#all.refreshAll();
  }

  /** Takes in a delta; returns what changed, or null when it is not newer than the view. */
  apply(delta: DeltaMessage): Changed | null {
    // Presence of the cast is not in the log: such a delta may stand at the offset of the one before.
    const lowest = delta.p.every(([name]) => name === 'cast') ? this.#offset : this.#offset + 1;
    if (!this.#whole || delta.off < lowest) return null;
    this.#offset = delta.off;
    const fresh = new Map<string, Entities>();
    const changed: Patch[] = [];
    for (const patch of delta.p) {
      const [name, id, entity] = patch;
      const known = this.#collections.get(name);
      if (!known && this.#collections.size >= MAX_COLLECTIONS) continue;
      const entities = fresh.get(name) ?? new Map(known);
      fresh.set(name, entities);
      this.#collections.set(name, entities);
      if (entity === null) {
        if (!entities.delete(id)) continue;
      } else {
        if (!entities.has(id) && entities.size >= MAX_ENTITIES) continue;
        entities.set(id, entity);
      }
      changed.push(patch);
    }
    for (const [name, id] of changed) this.#entities.refresh(`${name}\0${id}`);
    for (const name of fresh.keys()) this.#all.refresh(name);
    return changed.map(([name, id]) => [name as CollectionName, id] as const);
  }
}

const EMPTY: ReadonlyMap<string, unknown> = new Map();

function same(a: unknown, b: unknown): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

function sameEntries(a: Entities, b: Entities): boolean {
  if (a.size !== b.size) return false;
  const keys = b.keys();
  for (const [key, value] of a) {
    if (keys.next().value !== key || b.get(key) !== value) return false;
  }
  return true;
}
