import type { DiceDialect, Roll } from '@footlight/client';
import type { Proof } from './proofs.svelte';

export interface RollsToCheck {
  episode: string;
  seed: string;
  seed_commit: string;
  dialect: DiceDialect;
  rolls: readonly Roll[];
}
export interface RollsOutcome {
  commitment: boolean;
  by_roll: ReadonlyMap<number, Proof>;
}

export async function check_rolls(_input: RollsToCheck): Promise<RollsOutcome> {
  throw new Error('not yet');
}
