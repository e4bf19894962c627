/**
 * The observable values of the client. Subscribers are called in the order they came, once per
 * change; one that throws is reported and costs the others nothing.
 */

import type { Readable, Unsubscribe } from './types.ts';

/** Hands a subscriber's exception to the page without letting it reach the protocol's code. */
export function guarded<T>(run: (value: T) => void, value: T): void {
  try {
    run(value);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  }
}

/** A `Readable` that its owner may set. */
export class Value<T> implements Readable<T> {
  #value: T;
  #runs = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  /** Notifies only when the value is another one. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const run of [...this.#runs]) if (this.#runs.has(run)) guarded(run, value);
  }

  subscribe(run: (value: T) => void): Unsubscribe {
    // Two subscriptions of one function are two subscriptions.
    const own = (value: T): void => run(value);
    this.#runs.add(own);
    guarded(own, this.#value);
    return () => void this.#runs.delete(own);
  }

  get watched(): boolean {
    return this.#runs.size > 0;
  }
}

/** Observables made on demand by key. One that nobody watches is not kept. */
export class Family<K, T> {
  #values = new Map<K, Value<T>>();
  readonly #current: (key: K) => T;

  /** `current` tells the present value for a key. */
  constructor(current: (key: K) => T) {
    this.#current = current;
  }

  of(key: K): Readable<T> {
    return {
      get: () => this.#current(key),
      subscribe: (run) => {
        const value = this.#values.get(key) ?? new Value(this.#current(key));
        this.#values.set(key, value);
        const end = value.subscribe(run);
        return () => {
          end();
          if (!value.watched && this.#values.get(key) === value) this.#values.delete(key);
        };
      },
    };
  }

  /** Tells the watchers of `key`, if there are any, its present value. */
  refresh(key: K): void {
    this.#values.get(key)?.set(this.#current(key));
  }

  refreshAll(): void {
    for (const key of [...this.#values.keys()]) this.refresh(key);
  }
}

/** Typed events, for what is a happening rather than a value. */
export class Emitter<Events> {
  #runs = new Map<keyof Events, Set<(value: never) => void>>();

  on<E extends keyof Events>(event: E, run: (value: Events[E]) => void): Unsubscribe {
    const own = (value: Events[E]): void => run(value);
    const runs = this.#runs.get(event) ?? new Set();
    this.#runs.set(event, runs);
    runs.add(own as (value: never) => void);
    return () => void runs.delete(own as (value: never) => void);
  }

  emit<E extends keyof Events>(event: E, value: Events[E]): void {
    for (const run of [...(this.#runs.get(event) ?? [])]) {
      guarded(run as (value: Events[E]) => void, value);
    }
  }
}
