// An episode in full swing, to look at: what a house of the fake server shows.

const kStart = Date.now() - 34 * 60_000;
const at = (minutes) => kStart + minutes * 60_000;
const hex = (seed, length) => {
  let state = seed;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += (state >>> 8).toString(16).padStart(6, '0');
  }
  return text.slice(0, length);
};
export const who_of = (account) => hex([...account].reduce((sum, char) => sum * 31 + char.codePointAt(0), 7) >>> 0, 16);

const die = (sides, value, kept = true, more = {}) => ({ sides, value, kept, ...more });
const roll = (n, minutes, account, name, char, expr, reason, dice, total, crit = '', secret = false) => ({
  n, at_ms: at(minutes), who: who_of(account), name, ...(char ? { char } : {}), expr, ...(reason ? { reason } : {}),
  dice, total, crit, nonce: hex(n * 7, 32), hash: hex(n * 13, 64), secret,
});

export function example_view() {
  const now = Date.now();
  return {
    episode: {
      state: {
        title: 'The Bell Under the Hill', state: 'live', scene: 'gate', slate: { on: false, text: '' }, slow_s: 0,
        started_ms: kStart, ended_ms: 0, seed_commit: hex(99, 64), seed: null, chain: hex(98, 64),
        emotes: ['heart', 'clap', 'laugh', 'gasp', 'fire', 'skull'], dice_dialect: 'foundry',
        conditions: ['down', 'poisoned', 'frightened', 'blessed'],
      },
    },
    scenes: {
      road: { title: 'The hollow road', text: 'Rain since morning.', choices: [], visited: true, polls: [] },
      gate: {
        title: 'The gate below the roots',
        text: 'Two doors, one bell. The rope hangs just out of reach, and the water in the passage has begun to rise.\n\nAria hears breathing behind the left door. Behind the right one, nothing at all.',
        choices: [
          { id: 'left', label: 'Take the left door', to: 'crypt' },
          { id: 'right', label: 'Take the right door', to: 'well' },
        ],
        visited: true, polls: ['fork', 'bell'],
      },
      crypt: { title: 'The crypt of the ringers', text: '', choices: [], visited: false, polls: [] },
      well: { title: 'The dry well', text: '', choices: [], visited: false, polls: [] },
    },
    story: {
      1: { n: 1, at_ms: at(0), scene: 'road', title: 'The hollow road', how: 'start' },
      2: { n: 2, at_ms: at(12), scene: 'ferry', title: 'The ferryman’s price', how: 'choice', choice: 'pay' },
      3: { n: 3, at_ms: at(24), scene: 'gate', title: 'The gate below the roots', how: 'poll', poll: 'trail' },
    },
    polls: {
      fork: {
        title: 'Which door do they open?', options: ['The left, where something breathes', 'The right, where nothing does', 'Ring the bell first'],
        kind: 'single', max: 1, state: 'open', hidden: false, changeable: true, quorum: 0,
        opened_ms: now - 38_000, deadline_ms: now + 52_000, weights: { viewer: 1, player: 1, gm: 0, producer: 0 }, result: null,
      },
      trail: {
        title: 'Follow the lights or the footprints?', options: ['The lights', 'The footprints'], kind: 'single', max: 1, state: 'closed',
        hidden: false, changeable: true, quorum: 0, opened_ms: at(22), deadline_ms: at(23), weights: { viewer: 1, player: 1, gm: 0, producer: 0 },
        result: { counts: [412, 655], voters: 1067, winner: 1, why: 'votes', log: 812, chain: hex(5, 64) },
      },
      bell: {
        title: 'What may the bell cost them? Name up to two.', options: ['Their light', 'Their rope', 'A memory', 'The map'], kind: 'multiple', max: 2,
        state: 'ready', hidden: true, changeable: true, quorum: 10, opened_ms: 0, deadline_ms: 0, weights: { viewer: 1, player: 1, gm: 0, producer: 0 }, result: null,
      },
    },
    characters: {
      aria: {
        name: 'Aria Venn', owner_name: 'Ann', ver: 12, hp: 17, hp_max: 24, hp_temp: 5, conditions: ['blessed'],
        items: { potion: { name: 'Healing potion', n: 2 }, arrows: { name: 'Arrows', n: 18 }, rope: { name: 'Silk rope, fifty feet', n: 1 } },
        fields: { class: 'Ranger', level: 4, armour: 15, initiative: 3 },
      },
      brom: {
        name: 'Brom Oakhand', owner_name: 'Bo', ver: 9, hp: 6, hp_max: 31, hp_temp: 0, conditions: ['poisoned', 'frightened'],
        items: { axe: { name: 'Greataxe', n: 1 }, torch: { name: 'Torch', n: 3 } }, fields: { class: 'Fighter', level: 4, armour: 17 },
      },
      wight: { name: 'The Bell Wight', owner_name: '', ver: 2, hp: 45, hp_max: 45, hp_temp: 0, items: {}, conditions: [], fields: { armour: 13 } },
    },
    rolls: {
      14: roll(14, 33.6, 'ann', 'Ann', 'aria', '1d20+7', 'Shoot the rope', [die(20, 20)], 27, 'hit'),
      13: roll(13, 32, 'bo', 'Bo', 'brom', '2d20kl1+5', 'Stealth', [die(20, 14, false), die(20, 1)], 6, 'miss'),
      12: roll(12, 30, 'gm', 'Gale', 'wight', '3d8x8+2', 'Tolling', [die(8, 8, true, { exploded: true }), die(8, 3), die(8, 6), die(8, 5)], 24),
      11: roll(11, 27, 'ann', 'Ann', 'aria', '4d6kh3', 'Luck', [die(6, 5), die(6, 2, false), die(6, 6), die(6, 4)], 15),
    },
    chat: Object.fromEntries(
      [
        ['mira', 'Mira', 'viewer', 'the bell is a trap, it has to be'],
        ['tom', 'Tom', 'viewer', 'left left left'],
        ['gm', 'Gale', 'gm', 'You have until the candle gutters.'],
        ['ann', 'Ann', 'player', 'I nock an arrow and aim at the rope.'],
        ['kaz', 'Kaz', 'viewer', 'NAT TWENTY'],
        ['mira', 'Mira', 'viewer', 'told you, never doubt Aria'],
      ].map(([account, name, role, text], index) => [
        String(index + 1),
        { id: String(index + 1), at_ms: at(28 + index), who: who_of(account), name, role, text },
      ]),
    ),
    timers: { candle: { label: 'The candle', ends_ms: now + 165_000, total_ms: 300_000 } },
    cast: {
      [who_of('gm')]: { name: 'Gale', role: 'gm', chars: [], online: true },
      [who_of('ann')]: { name: 'Ann', role: 'player', chars: ['aria'], online: true },
      [who_of('bo')]: { name: 'Bo', role: 'player', chars: ['brom'], online: false },
    },
    cues: {
      1: { n: 1, label: 'Open on the hollow road', k: 'episode.start', a: {}, done: true },
      2: { n: 2, label: 'Lights or footprints', k: 'poll.open', a: { poll: 'trail' }, done: true },
      3: { n: 3, label: 'To the gate', k: 'scene.go', a: { scene: 'gate' }, done: true },
      4: { n: 4, label: 'Light the candle', k: 'timer.start', a: { id: 'candle', seconds: 300, label: 'The candle' }, done: false },
      5: { n: 5, label: 'What the bell costs', k: 'poll.open', a: { poll: 'bell' }, done: false },
      6: { n: 6, label: 'Break', k: 'slate', a: { on: true, text: 'Back at a quarter past' }, done: false },
    },
    moderation: { [who_of('troll')]: { name: 'Troll', muted_until_ms: now + 240_000, banned: false } },
    log: Object.fromEntries(
      [
        ['poll.open', 'Gale', 'Which door do they open?'],
        ['chat.say', 'Kaz', 'NAT TWENTY'],
        ['dice.roll', 'Ann', '1d20+7 = 27, critical hit'],
        ['char.hp', 'Gale', 'Brom Oakhand 14 → 6'],
        ['scene.go', 'Gale', 'The gate below the roots'],
        ['poll.close', '', 'Follow the lights or the footprints? → The footprints'],
      ].map(([kind, name, text], index) => [
        String(1240 - index * 17),
        { log: 1240 - index * 17, at_ms: now - index * 21_000, kind, ...(name ? { name } : {}), text },
      ]),
    ),
  };
}
