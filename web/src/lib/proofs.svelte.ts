// Recomputing the rolls on this page once the seed is public.
import type { Roll } from '@footlight/client';
import { check_rolls, type Proof } from './verify_rolls';
import type { Show } from './show.svelte';

export interface ProofSummary {
  /** The seed hashes to the commitment that was published at the start. */
  commitment: boolean;
  holds: number;
  broken: number;
}

class Proofs {
  running = $state(false);
  failure = $state('');
  summary = $state.raw<ProofSummary | null>(null);
  #by_roll = $state.raw<ReadonlyMap<number, Proof>>(new Map());

  of(n: number): Proof | undefined {
    return this.#by_roll.get(n);
  }

  async check(show: Show, rolls: readonly Roll[]): Promise<void> {
    const episode = show.episode;
    const session = show.session;
    if (!episode?.seed || !session) return;
    this.running = true;
    this.failure = '';
    try {
      const outcome = await check_rolls({
        episode: session.ep,
        seed: episode.seed,
        seed_commit: episode.seed_commit,
        rolls,
      });
      this.#by_roll = outcome.by_roll;
      const proofs = [...outcome.by_roll.values()];
      const holds = proofs.filter((proof) => proof.state === 'holds').length;
      this.summary = { commitment: outcome.commitment, holds, broken: proofs.length - holds };
    } catch (error) {
      this.failure = `The check could not run: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.running = false;
    }
  }
}

export const proofs = new Proofs();
