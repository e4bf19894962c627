/** Characters: each change against the one before it (docs/formats/events.md). */
import { bool, int, list, map, text, type Json } from './json.ts';

interface Character {
  hp: number;
  hpMax: number;
  temp: number;
  ver: number | null; // unknown before the first change
  items: Map<string, number>;
  conditions: Set<string>;
}

export class Cast {
  private readonly characters = new Map<string, Character>();

  constructor(definition: Json) {
    for (const [id, json] of map(definition, 'characters')) {
      const hpMax = int(json, 'hp_max', int(json, 'hp', 0));
      const items = new Map<string, number>();
      const stated = map(json, 'items');
      for (const item of stated.keys()) items.set(item, int(stated, item));
      this.characters.set(id, {
        hp: int(json, 'hp', hpMax),
        hpMax,
        temp: int(json, 'hp_temp', 0),
        ver: null,
        items,
        conditions: new Set(list(json, 'conditions').map(String)),
      });
    }
  }

  /** What is wrong with the change, or null. Throws on a member of the wrong type. */
  change(kind: string, data: Json): string | null {
    const id = text(data, 'char');
    const character = this.characters.get(id);
    if (!character) return `there is no character "${id}"`;
    const ver = int(data, 'ver');
    const follows = character.ver === null || ver === character.ver + 1;
    character.ver = ver;
    const wrong = this.apply(character, kind, data);
    return wrong ?? (follows ? null : `version ${ver} of "${id}" does not follow the one before`);
  }

  private apply(character: Character, kind: string, data: Json): string | null {
    if (kind === 'char.hp') {
      const fits =
        int(data, 'hp_before') === character.hp && int(data, 'temp_before') === character.temp;
      character.hp = int(data, 'hp');
      character.temp = int(data, 'temp');
      if (!fits) return 'the hit points before it are not those after the last change';
      const possible = character.hp >= 0 && character.hp <= character.hpMax && character.temp >= 0;
      return possible ? null : 'hit points out of range';
    }
    if (kind === 'char.item') {
      const item = text(data, 'item');
      const expected = (character.items.get(item) ?? 0) + int(data, 'delta');
      const count = int(data, 'count');
      character.items.set(item, count);
      return count === expected && count >= 0 ? null : `the count of "${item}" does not add up`;
    }
    if (kind === 'char.cond') {
      const condition = text(data, 'cond');
      const on = bool(data, 'on');
      if (on) character.conditions.add(condition);
      else character.conditions.delete(condition);
    }
    return null;
  }
}
