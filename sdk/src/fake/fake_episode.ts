/**
 * As much of an episode as the tests of a page need: polls and ballots, chat, captions, dice, characters,
 * scenes, timers, moderation. Decides like the server where a client can tell the difference;
 * proves nothing (no seed, no chain).
 */

import { Codes } from '../codes.ts';
import type { Random } from '../types.ts';
import type {
  Character,
  CommandArgs,
  CommandKind,
  Cue,
  Patch,
  Poll,
  Role,
  Scene,
  TallyMessage,
} from '../wire.ts';

/** What a fake episode begins with; everything has a default. */
export interface FakeEpisodeOptions {
  title?: string;
  state?: 'waiting' | 'live' | 'ended';
  emotes?: string[];
  conditions?: string[];
  polls?: Record<string, Partial<Poll> & { options: string[] }>;
  characters?: Record<string, Partial<Character> & { name: string }>;
  scenes?: Record<string, Partial<Scene> & { title: string }>;
  scene?: string;
  cues?: Cue[];
}

export interface FakeActor {
  sub: string;
  who: string;
  role: Role;
  name: string;
  chars: readonly string[];
  captions: boolean;
}

export interface Outcome {
  patches: Patch[];
  /** A ballot's receipt. */
  hash?: string;
}
export interface Refusal {
  code: number;
  retry_after_ms?: number;
}
export type Decision = Outcome | Refusal;

interface Register {
  choice: number[];
  n: number;
  log: number;
  hash: string;
  weight: number;
}

const STAFF: readonly Role[] = ['gm', 'producer'];
const NEEDS: Partial<Record<CommandKind, readonly Role[]>> = {
  'dice.roll': ['player', ...STAFF],
  'char.hp': ['player', ...STAFF],
  'char.item': ['player', ...STAFF],
  'char.cond': ['player', ...STAFF],
  'char.field': ['player', ...STAFF],
  slate: ['producer'],
  'media.mode': ['producer'],
  'episode.start': ['producer'],
  'episode.end': ['producer'],
};
const FREE: readonly CommandKind[] = ['poll.vote', 'emote', 'chat.say'];
const STAFF_ONLY: readonly string[] = ['cues', 'moderation', 'log'];

export class FakeEpisode {
  readonly view: Record<string, Record<string, object>>;
  readonly ballots = new Map<string, Map<string, Register>>();
  #versions = new Map<string, number>();
  #rolls = 0;
  #chats = 0;
  #captions = 0;
  #muted = new Map<string, number>();
  readonly #random: Random;

  constructor(options: FakeEpisodeOptions, random: Random, now_ms: number) {
    this.#random = random;
    const { polls = {}, characters = {}, scenes = {} } = options;
    const map = <A, B>(from: Record<string, A>, to: (one: A) => B): Record<string, B> =>
      Object.fromEntries(Object.entries(from).map(([id, one]) => [id, to(one)]));
    const episode = {
      title: options.title ?? 'A fake episode',
      state: options.state ?? 'live',
      scene: options.scene ?? null,
      slate: { on: false, text: '' },
      media: 'full',
      slow_s: 0,
      started_ms: now_ms,
      ended_ms: 0,
      seed_commit: '00'.repeat(32),
      seed: null,
      chain: null,
      emotes: options.emotes ?? ['heart', 'clap'],
      dice_dialect: 'foundry',
      conditions: options.conditions ?? ['down'],
    };
    this.view = {
      episode: { state: episode },
      scenes: map(scenes, (one) => ({ text: '', choices: [], visited: true, polls: [], ...one })),
      story: {},
      polls: map(polls, (one) => newPoll(one)),
      characters: map(characters, newCharacter),
      rolls: {},
      chat: {},
      captions: {},
      timers: {},
      cast: {},
      cues: Object.fromEntries((options.cues ?? []).map((cue) => [String(cue.n), cue])),
      moderation: {},
      log: {},
    };
  }

  /** What a role may see of the view. */
  viewFor(role: Role): Record<string, Record<string, object>> {
    const staff = STAFF.includes(role);
    return Object.fromEntries(
      Object.entries(this.view).flatMap(([name, all]) => {
        if (!staff && STAFF_ONLY.includes(name)) return [];
        const seen = Object.entries(all).filter(([, one]) => this.#shows(role, name, one));
        return [[name, Object.fromEntries(seen)]];
      }),
    );
  }
  patchesFor(role: Role, patches: Patch[]): Patch[] {
    return patches.flatMap((patch): Patch[] => {
      const [name, id, entity] = patch;
      if (!STAFF.includes(role) && STAFF_ONLY.includes(name)) return [];
      return entity !== null && !this.#shows(role, name, entity) ? [[name, id, null]] : [patch];
    });
  }
  #shows(role: Role, name: string, entity: unknown): boolean {
    if (STAFF.includes(role)) return true;
    if (name === 'polls') return (entity as Poll).state !== 'ready';
    if (name === 'scenes') return (entity as Scene).visited;
    return !(name === 'rolls' && (entity as { secret: boolean }).secret);
  }

  tally(id: string): TallyMessage {
    const poll = this.view['polls']?.[id] as Poll;
    const counts = poll.options.map(() => 0);
    let voters = 0;
    let log = 0;
    for (const one of this.ballots.get(id)?.values() ?? []) {
      if (one.choice.length) ++voters;
      for (const k of one.choice) counts[k] = (counts[k] ?? 0) + one.weight;
      log = Math.max(log, one.log);
    }
    const ver = (this.#versions.get(id) ?? 0) + 1;
    this.#versions.set(id, ver);
    const state = poll.state === 'ready' ? 'open' : poll.state;
    return { t: 'tally', poll: id, ver, log, counts, voters, state, final: state === 'closed' };
  }

  /** Decides and applies at once. `log` is the sequence the event gets. */
  decide(who: FakeActor, kind: CommandKind, args: object, log: number, now_ms: number): Decision {
    const needs = NEEDS[kind] ?? (FREE.includes(kind) ? null : STAFF);
    const granted = /^caption\./.test(kind) && who.captions;
    if (needs && !needs.includes(who.role) && !granted) return { code: Codes.Forbidden };
    if (!Object.hasOwn(DECIDERS, kind)) return { code: Codes.UnknownCommand };
    return DECIDERS[kind as keyof typeof DECIDERS](this, args as never, { who, log, now_ms });
  }

  /** Replaces an entity and returns the patch that tells of it. */
  put(name: string, id: string, entity: object | null): Patch {
    const all = (this.view[name] ??= {});
    if (entity === null) delete all[id];
    else all[id] = entity;
    return [name, id, entity];
  }
  change(name: string, id: string, change: object): Patch {
    return this.put(name, id, { ...this.view[name]?.[id], ...change });
  }

  vote(args: CommandArgs['poll.vote'], by: By): Decision {
    const poll = this.view['polls']?.[args.poll] as Poll | undefined;
    if (!poll) return { code: Codes.PollUnknown };
    if (poll.state === 'closed' || poll.state === 'closing') return { code: Codes.PollClosed };
    if (poll.state !== 'open') return { code: Codes.PollNotOpen };
    if (poll.deadline_ms && by.now_ms > poll.deadline_ms) return { code: Codes.PollClosed };
    if (args.choice.some((k) => !(k in poll.options))) return { code: Codes.OptionUnknown };
    if (args.choice.length > poll.max) return { code: Codes.TooManyChoices };
    const registers = this.ballots.get(args.poll) ?? new Map<string, Register>();
    this.ballots.set(args.poll, registers);
    const before = registers.get(by.who.sub);
    if (before && !poll.changeable) return { code: Codes.VoteFinal };
    if (before && before.n >= args.n) return { code: Codes.VoteSuperseded };
    const { choice, n } = args;
    const hash = by.log.toString(16).padStart(32, '0');
    const weight = poll.weights[by.who.role] ?? 1;
    registers.set(by.who.sub, { choice, n, log: by.log, hash, weight });
    return { patches: [], hash };
  }

  say({ text }: CommandArgs['chat.say'], { who, now_ms }: By): Decision {
    if ((this.#muted.get(who.who) ?? 0) > now_ms) return { code: Codes.Muted };
    if (new TextEncoder().encode(text).length > 500) return { code: Codes.ChatTooLong };
    const id = String(++this.#chats);
    const said = { id, at_ms: now_ms, who: who.who, name: who.name, role: who.role, text };
    const patches = [this.put('chat', id, said)];
    if (this.#chats > 100) patches.push(this.put('chat', String(this.#chats - 100), null));
    return { patches };
  }

  caption(args: CommandArgs['caption.say'], now_ms: number): Decision {
    const { text, lang, at_ms = now_ms } = args;
    const chars = [...text].length;
    if (!text.trim() || chars > 200 || text.split('\n').length > 2) {
      return { code: Codes.CaptionText };
    }
    if (!/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(lang) || lang.length > 16) {
      return { code: Codes.CaptionLang };
    }
    if (at_ms > now_ms || at_ms < now_ms - 30_000) return { code: Codes.CaptionTime };
    const n = ++this.#captions;
    const { for_ms = 1_500 + 50 * chars } = args;
    const said = { n, said_ms: now_ms, at_ms, for_ms, lang, text };
    const patches = [this.put('captions', String(n), said)];
    if (n > 20) patches.push(this.put('captions', String(n - 20), null));
    return { patches };
  }

  /** `2d6+3`: no more of the grammar than that. */
  roll(args: CommandArgs['dice.roll'], { who, now_ms }: By): Decision {
    const found = /^\s*(\d{0,3})d(\d{1,4})\s*([+-]\s*\d{1,6})?\s*$/.exec(args.expr);
    if (!found) return { code: Codes.DiceSyntax };
    if (!/^[0-9a-f]{16,64}$/i.test(args.nonce)) return { code: Codes.DiceNonce };
    const sides = Number(found[2]);
    const dice = Array.from({ length: Number(found[1] || 1) }, () => ({
      sides,
      value: 1 + Math.floor(this.#random.unit() * sides),
      kept: true,
    }));
    const sum = dice.reduce((total, die) => total + die.value, 0);
    const n = ++this.#rolls;
    const { expr, nonce, char, reason, secret = false } = args;
    const roll = {
      ...{ n, at_ms: now_ms, who: who.who, name: who.name, expr, dice, nonce, secret },
      ...{ total: sum + Number((found[3] ?? '0').replace(/\s/g, '')), crit: '', hash: '' },
      ...(char === undefined ? {} : { char }),
      ...(reason === undefined ? {} : { reason }),
    };
    return { patches: [this.put('rolls', String(n), roll)] };
  }

  character(
    { char, ver }: { char: string; ver?: number },
    { who }: By,
    change: (from: Character) => Partial<Character> | number,
  ): Decision {
    const from = this.view['characters']?.[char] as Character | undefined;
    if (!from) return { code: Codes.CharacterUnknown };
    if (!STAFF.includes(who.role) && !who.chars.includes(char)) {
      return { code: Codes.CharacterForeign };
    }
    if (ver !== undefined && ver !== from.ver) return { code: Codes.VersionConflict };
    const to = change(from);
    if (typeof to === 'number') return { code: to };
    return { patches: [this.change('characters', char, { ...to, ver: from.ver + 1 })] };
  }

  open(poll: string, seconds: number | undefined, now_ms: number): Decision {
    const state = (this.view['polls']?.[poll] as Poll | undefined)?.state;
    if (!state) return { code: Codes.PollUnknown };
    if (state === 'open') return { code: Codes.PollAlreadyOpen };
    const deadline_ms = seconds ? now_ms + seconds * 1000 : 0;
    return {
      patches: [this.change('polls', poll, { state: 'open', opened_ms: now_ms, deadline_ms })],
    };
  }

  close(poll: string, log: number): Decision {
    const open = this.view['polls']?.[poll] as Poll | undefined;
    if (!open) return { code: Codes.PollUnknown };
    if (open.state !== 'open') return { code: Codes.PollNotOpen };
    const { counts, voters } = this.tally(poll);
    const winner = voters ? counts.indexOf(Math.max(...counts)) : null;
    const result = {
      counts,
      voters,
      late: 0,
      winner,
      why: voters ? 'votes' : 'no_quorum',
      log,
      chain: '',
    };
    return { patches: [this.change('polls', poll, { state: 'closed', result })] };
  }

  mute(who: string, seconds: number, now_ms: number): Decision {
    this.#muted.set(who, now_ms + seconds * 1000);
    return { patches: [] };
  }
}

interface By {
  who: FakeActor;
  log: number;
  now_ms: number;
}
type Decider<K extends CommandKind> = (on: FakeEpisode, a: CommandArgs[K], by: By) => Decision;

const DECIDERS: { [K in Exclude<CommandKind, 'emote' | 'mod.ban' | 'mod.unban'>]: Decider<K> } = {
  'poll.vote': (on, a, by) => on.vote(a, by),
  'chat.say': (on, a, by) => on.say(a, by),
  'caption.say': (on, a, { now_ms }) => on.caption(a, now_ms),
  'dice.roll': (on, a, by) => on.roll(a, by),
  'char.hp': (on, a, by) =>
    on.character(a, by, ({ hp, hp_max }) => {
      if (a.temp !== undefined) return { hp_temp: a.temp };
      return { hp: Math.max(0, Math.min(hp_max, a.set ?? hp + (a.delta ?? 0))) };
    }),
  'char.item': (on, a, by) =>
    on.character(a, by, ({ items }) => {
      const { name = a.item, n = 0 } = items[a.item] ?? {};
      if (n + a.delta < 0) return Codes.ItemUnknown;
      return { items: { ...items, [a.item]: { name, n: n + a.delta } } };
    }),
  'char.cond': (on, a, by) =>
    on.character(a, by, ({ conditions }) => ({
      conditions: [...conditions.filter((one) => one !== a.cond), ...(a.on ? [a.cond] : [])],
    })),
  'char.field': (on, a, by) =>
    on.character(a, by, ({ fields }) => ({ fields: { ...fields, [a.field]: a.value } })),
  'poll.open': (on, a, by) => on.open(a.poll, a.seconds, by.now_ms),
  'poll.close': (on, a, by) => on.close(a.poll, by.log),
  'poll.create': (on, { poll, seconds: _, ...a }) => ({
    patches: [on.put('polls', poll, newPoll({ ...a, state: 'ready' }))],
  }),
  'scene.go': (on, { scene }) =>
    on.view['scenes']?.[scene]
      ? {
          patches: [
            on.change('scenes', scene, { visited: true }),
            on.change('episode', 'state', { scene }),
          ],
        }
      : { code: Codes.SceneUnknown },
  'story.choose': (on, { choice }, by) => {
    const now = on.view['episode']?.['state'] as { scene: string } | undefined;
    const here = on.view['scenes']?.[now?.scene ?? ''] as Scene | undefined;
    const to = here?.choices.find((one) => one.id === choice)?.to;
    if (to === undefined) return { code: Codes.ChoiceUnknown };
    return DECIDERS['scene.go'](on, { scene: to }, by);
  },
  'timer.start': (on, { id, seconds, label = '' }, { now_ms }) => ({
    patches: [
      on.put('timers', id, { label, ends_ms: now_ms + seconds * 1000, total_ms: seconds * 1000 }),
    ],
  }),
  'timer.stop': (on, { id }) =>
    on.view['timers']?.[id]
      ? { patches: [on.put('timers', id, null)] }
      : { code: Codes.TimerUnknown },
  'caption.take_back': (on, { caption }) =>
    (on.view['captions']?.[caption] as { text: string } | undefined)?.text
      ? { patches: [on.change('captions', caption, { text: '', for_ms: 0 })] }
      : { code: Codes.CaptionUnknown },
  'chat.delete': (on, { chat }) =>
    on.view['chat']?.[chat]
      ? { patches: [on.put('chat', chat, null)] }
      : { code: Codes.ChatUnknown },
  'chat.slow': (on, { seconds }) => ({
    patches: [on.change('episode', 'state', { slow_s: seconds })],
  }),
  'mod.mute': (on, { who, seconds }, { now_ms }) => on.mute(who, seconds, now_ms),
  'media.mode': (on, { mode }) => ({ patches: [on.change('episode', 'state', { media: mode })] }),

  slate: (on, { on: shown, text = '' }) => ({
    patches: [on.change('episode', 'state', { slate: { on: shown, text } })],
  }),
  'episode.start': (on) => ({ patches: [on.change('episode', 'state', { state: 'live' })] }),
  'episode.end': (on, _, { now_ms }) => ({
    patches: [on.change('episode', 'state', { state: 'ended', ended_ms: now_ms })],
  }),
};

function newPoll(options: Partial<Poll> & { options: string[] }): Poll {
  return {
    title: 'A poll',
    kind: 'single',
    max: options.kind === 'multiple' ? options.options.length : 1,
    state: 'open',
    hidden: false,
    changeable: true,
    quorum: 0,
    opened_ms: 0,
    deadline_ms: 0,
    allowance_ms: 3_000,
    weights: {},
    result: null,
    ...options,
  };
}

function newCharacter(options: Partial<Character> & { name: string }): Character {
  return {
    owner_name: '',
    ver: 1,
    hp: 10,
    hp_max: 10,
    hp_temp: 0,
    items: {},
    conditions: [],
    fields: {},
    ...options,
  };
}
