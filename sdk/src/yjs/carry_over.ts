/**
 * Carries edits over into another copy of a document, under another client id.
 *
 * A refused edit stays in its author's copy, and Yjs cannot take it out again, so the copy has to be
 * thrown away. The edits made after it need not go with it: their structs are given new ids, gap
 * free, and what they refer to is looked up, among themselves or in the new copy. An edit that
 * builds on what the new copy does not have cannot be carried over; it is lost with what it was
 * built on.
 */

import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

interface Range {
  from: number;
  to: number;
  /** Where `from` went. */
  at: number;
}

/** One carrying over; edits are given oldest first. */
export class CarryOver {
  /** By old client id; clocks of the ranges rise. */
  #moved = new Map<number, Range[]>();
  readonly #base: Y.Doc;
  readonly #client: number;

  /** `base` has what the server has; edits go into it under the id `client`. */
  constructor(base: Y.Doc, client: number) {
    this.#base = base;
    this.#client = client;
  }

  /**
   * Applies `update` to the new copy with `origin`, and gives it as it is to be sent. Null when it
   * builds on what is not there. An update that the new copy has already is given as it is.
   */
  carry(update: Uint8Array, origin: unknown): Uint8Array | null {
    const { structs, ds } = Y.decodeUpdate(update);
    const news = this.#ordered(
      structs.flatMap((struct) => {
        const offset = Math.max(0, this.#has(struct.id.client) - struct.id.clock);
        return struct instanceof Y.Skip || offset >= struct.length ? [] : [{ struct, offset }];
      }),
    );
    const before = new Map([...this.#moved].map(([client, ranges]) => [client, [...ranges]]));
    const first = this.#has(this.#client);
    let next = first;
    for (const { struct, offset } of news) {
      const { client, clock } = struct.id;
      const ranges = this.#moved.get(client) ?? [];
      ranges.push({ from: clock + offset, to: clock + struct.length, at: next });
      this.#moved.set(client, ranges);
      next += struct.length - offset;
    }
    if (!news.every(({ struct }) => this.#rewrite(struct))) {
      this.#moved = before;
      return null;
    }
    const carried = this.#encode(news, first, this.#deletions(ds.clients));
    Y.applyUpdate(this.#base, carried, origin);
    return carried;
  }

  #has(client: number): number {
    return Y.getState(this.#base.store, client);
  }

  /** The new id of what `id` names, or null. */
  #find(id: Y.ID): Y.ID | null {
    for (const { from, to, at } of this.#moved.get(id.client) ?? []) {
      if (id.clock >= from && id.clock < to) {
        return Y.createID(this.#client, at + id.clock - from);
      }
    }
    return id.clock < this.#has(id.client) ? id : null;
  }

  #rewrite(struct: Struct): boolean {
    if (!(struct instanceof Y.Item)) return true;
    for (const field of REFERENCES) {
      const id = struct[field];
      if (!(id instanceof Y.ID)) continue;
      const found = this.#find(id);
      if (!found) return false;
      struct[field] = found;
    }
    return true;
  }

  /** Under one id what is built on comes first; structs of one client are in order already. */
  #ordered(news: New[]): New[] {
    const waiting = new Set(news.map(({ struct }) => struct));
    const waits = ({ struct }: New): boolean =>
      struct instanceof Y.Item &&
      REFERENCES.some((field) => {
        const id = struct[field];
        return id instanceof Y.ID && [...waiting].some((one) => one !== struct && holds(one, id));
      });
    if (new Set(news.map(({ struct }) => struct.id.client)).size < 2) return news;
    const ordered: New[] = [];
    while (ordered.length < news.length) {
      // The front of each client's queue; one of them waits for none of the others.
      const fronts = new Map<number, New>();
      for (const one of news) {
        const { client } = one.struct.id;
        if (waiting.has(one.struct) && !fronts.has(client)) fronts.set(client, one);
      }
      const all = [...fronts.values()];
      const front = all.find((one) => !waits(one)) ?? (all[0] as New);
      waiting.delete(front.struct);
      ordered.push(front);
    }
    return ordered;
  }

  /** Of what is not there, nothing has to be deleted. */
  #deletions(clients: Map<number, { clock: number; len: number }[]>): Map<number, Span[]> {
    const found = new Map<number, Span[]>();
    const add = (client: number, clock: number, len: number): void => {
      if (len > 0) found.set(client, [...(found.get(client) ?? []), { clock, len }]);
    };
    for (const [client, spans] of clients) {
      for (const { clock, len } of spans) {
        const end = clock + len;
        add(client, clock, Math.min(end, this.#has(client)) - clock);
        for (const { from, to, at } of this.#moved.get(client) ?? []) {
          const start = Math.max(clock, from);
          add(this.#client, at + start - from, Math.min(end, to) - start);
        }
      }
    }
    return found;
  }

  #encode(structs: New[], first: number, deletions: Map<number, Span[]>): Uint8Array {
    const encoder = new Y.UpdateEncoderV1();
    const write = (n: number): void => encoding.writeVarUint(encoder.restEncoder, n);
    write(structs.length > 0 ? 1 : 0);
    if (structs.length > 0) {
      write(structs.length);
      encoder.writeClient(this.#client);
      write(first);
      for (const { struct, offset } of structs) struct.write(encoder, offset);
    }
    write(deletions.size);
    for (const [client, spans] of deletions) {
      write(client);
      write(spans.length);
      for (const { clock, len } of spans.sort((a, b) => a.clock - b.clock)) {
        write(clock);
        write(len);
      }
    }
    return encoder.toUint8Array();
  }
}

const REFERENCES = ['origin', 'rightOrigin', 'parent'] as const;

type Struct = Y.Item | Y.GC | Y.Skip;
/** A struct that the new copy lacks, save its first `offset` units. */
interface New {
  struct: Struct;
  offset: number;
}
interface Span {
  clock: number;
  len: number;
}

/** The words in an update: what a person typed into it, for when it is refused. */
export function textsOf(update: Uint8Array): string[] {
  const found: string[] = [];
  // Runs of one text follow each other.
  let run = '';
  let next = { client: -1, clock: 0 };
  const end = (): void => {
    if (run.trim()) found.push(run);
    run = '';
  };
  const strings = (value: unknown, depth = 0): void => {
    if (typeof value === 'string' && value.trim()) found.push(value);
    else if (typeof value === 'object' && value !== null && depth < 8) {
      for (const one of Object.values(value)) strings(one, depth + 1);
    }
  };
  for (const one of Y.decodeUpdate(update).structs) {
    const content: unknown = one instanceof Y.Item ? one.content : null;
    if (content instanceof Y.ContentString) {
      if (next.client !== one.id.client || next.clock !== one.id.clock) end();
      run += content.str;
      next = { client: one.id.client, clock: one.id.clock + one.length };
    } else if (content instanceof Y.ContentAny) {
      end();
      strings(content.arr);
    }
  }
  end();
  return found;
}

function holds({ id, length }: Struct, { client, clock }: Y.ID): boolean {
  return id.client === client && clock >= id.clock && clock < id.clock + length;
}
