import { Family, Value } from './readable.ts';
import type { Readable, Tally } from './types.ts';
import type { TallyMessage } from './wire.ts';

const MAX_POLLS = 256;

/** The newest tally of each poll: the highest version wins, whatever order they come in. */
export class TallyStore {
  readonly all = new Value<ReadonlyMap<string, Tally>>(new Map());
  /** Shown, but of another epoch: its version says nothing about what comes now. */
  #stale = new Set<string>();
  readonly #watch = new Family<string, Tally | undefined>((poll) => this.all.get().get(poll));

  of(poll: string): Readable<Tally | undefined> {
    return this.#watch.of(poll);
  }

  /** The tally as stored, or null when a newer one is there. */
  apply({ t: _, ...tally }: TallyMessage): Tally | null {
    const before = this.all.get().get(tally.poll);
    if (before && before.ver >= tally.ver && !this.#stale.has(tally.poll)) return null;
    this.#stale.delete(tally.poll);
    const tallies = new Map(this.all.get());
    tallies.delete(tally.poll);
    tallies.set(tally.poll, tally);
    if (tallies.size > MAX_POLLS) tallies.delete(tallies.keys().next().value as string);
    this.all.set(tallies);
    this.#watch.refresh(tally.poll);
    return tally;
  }

  /** Versions begin anew. */
  restart(): void {
    this.#stale = new Set(this.all.get().keys());
  }
}
