import type { Lifecycle, LifecycleEvent } from '../types.ts';

/** A page whose visibility and network are the test's to decide. */
export class FakeLifecycle implements Lifecycle {
  #hidden = false;
  #runs = new Set<(event: LifecycleEvent) => void>();

  hidden(): boolean {
    return this.#hidden;
  }
  subscribe(run: (event: LifecycleEvent) => void): () => void {
    this.#runs.add(run);
    return () => void this.#runs.delete(run);
  }
  tell(event: LifecycleEvent): void {
    if (event === 'hidden' || event === 'visible') this.#hidden = event === 'hidden';
    for (const run of [...this.#runs]) run(event);
  }
  get watched(): boolean {
    return this.#runs.size > 0;
  }
}
