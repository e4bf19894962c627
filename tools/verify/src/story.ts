/** The path of the story: every step must be one that the episode file or a poll's result allows. */
import type { Poll } from './polls.ts';
import { int, map, text, type Json } from './json.ts';

interface Scene {
  choices: Map<string, string>; // id → scene
}

export class Story {
  scene = '';
  private readonly scenes = new Map<string, Scene>();
  private readonly start: string;

  constructor(definition: Json) {
    for (const [id, json] of map(definition, 'scenes')) {
      const choices = new Map<string, string>();
      for (const [choice, target] of map(json, 'choices')) choices.set(choice, text(target, 'to'));
      this.scenes.set(id, { choices });
    }
    this.start = text(definition, 'start', [...this.scenes.keys()][0] ?? '');
  }

  /** What is wrong with the step, or null. */
  enter(data: Json, polls: ReadonlyMap<string, Poll>): string | null {
    const from = this.scene;
    const scene = text(data, 'scene');
    this.scene = scene;
    if (!this.scenes.has(scene)) return `there is no scene "${scene}"`;
    switch (text(data, 'how')) {
      case 'start':
        return scene === this.start && from === '' ? null : 'the story does not start there';
      case 'poll': {
        const poll = polls.get(text(data, 'poll'));
        if (!poll?.result) return 'the poll it names has no result';
        const { winner } = poll.result;
        const moves = String(winner) === text(data, 'choice') && poll.options[winner]?.to === scene;
        return moves ? null : "the poll's winner does not lead there";
      }
      case 'choice': {
        const to = this.scenes.get(from)?.choices.get(text(data, 'choice'));
        return to === scene ? null : 'the scene before it has no such choice';
      }
      case 'gm':
      case 'rule':
        return null;
      default:
        return `nothing moves a story by "${text(data, 'how')}"`;
    }
  }
}

export function critRule(definition: Json): { sides: number; hit_from: number; miss_to: number } {
  const dice = map(definition, 'dice');
  if (dice.get('crit') === 'off' || dice.get('crit') === false)
    return { sides: 0, hit_from: 20, miss_to: 1 };
  const crit = map(dice, 'crit');
  const sides = int(crit, 'sides', 20);
  return { sides, hit_from: int(crit, 'hit_from', sides), miss_to: int(crit, 'miss_to', 1) };
}
