import { Ballots, isVote } from './ballots.ts';
import { Boards } from './boards.ts';
import { ClockSync } from './clock_sync.ts';
import { Commands } from './commands.ts';
import { newTraceparent, randomHex } from './ids.ts';
import { LatencyMeter } from './latency.ts';
import { Link } from './link.ts';
import type { LinkOwner, PassedMessage } from './link_owner.ts';
import { MediaHub } from './media_hub.ts';
import { Outbox } from './outbox.ts';
import { OutboxStore, type Slot } from './outbox_store.ts';
import * as platform from './platform.ts';
import { ClientCode } from './problems.ts';
import { Emitter, Family, Value } from './readable.ts';
import { Reactions } from './reactions.ts';
import { SentEvent } from './sent_event.ts';
import { TallyStore } from './tally_store.ts';
import { Timers } from './timers.ts';
import { TokenKeeper } from './token_keeper.ts';
import type {
  Client,
  ClientEvents,
  ClientOptions,
  ClientState,
  Clock,
  ClockEstimate,
  EmoteCounts,
  Latencies,
  OwnBallot,
  Presence,
  Random,
  Readable,
  Receipt,
  Sent,
  Session,
  Slo,
  Storage,
  Tally,
  Unsubscribe,
  View,
} from './types.ts';
import { ViewStore } from './view_store.ts';
import {
  PROTOCOL_VERSION,
  type CommandArgs,
  type CommandKind,
  type DeltaMessage,
  type HelloMessage,
  type Limits,
  type Me,
  type Mode,
  type WelcomeMessage,
} from './wire.ts';

export const VERSION = '0.1.0';

const CLOCK_BURST_MS = [0, 250, 500, 1000];
const [BUSY_MS, ORPHAN_MS] = [50, 60_000];

/**
 * The client of one episode: stays connected, keeps the view current, and sees each event through
 * until it is confirmed or refused. See `Client` for what it offers and `ClientOptions` for what may
 * be injected.
 */
export class FootlightClient extends Commands implements Client {
  readonly session = new Value<Session | null>(null);
  readonly me = new Value<Me | null>(null);
  readonly mode = new Value<Mode>({ mode: 'live', code: 0, message: '' });
  readonly presence = new Value<Presence>({ audience: 0, edges: [] });
  readonly slo = new Value<Slo | null>(null);
  readonly emotes = new Value<EmoteCounts>({});
  readonly clock = new Value<ClockEstimate | null>(null);
  readonly board: Client['board'] = (id, handlers) => this.#boards.attach(id, handlers);
  readonly media: Client['media'] = (handlers) => this.#media.attach(handlers);
  readonly reportWatch: Client['reportWatch'] = (mode, cue) => {
    if (this.#link.live) this.#link.send(JSON.stringify({ t: 'watch', mode, cue }));
  };

  readonly #options: ClientOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #storage: Storage;
  readonly #timers: Timers;
  readonly #events = new Emitter<ClientEvents>();
  readonly #view = new ViewStore();
  readonly #tallies = new TallyStore();
  readonly #sync: ClockSync;
  readonly #latency: LatencyMeter;
  readonly #figures = new Family<'all', Latencies>(() => this.#latency.figures());
  readonly #reactions: Reactions;
  readonly #ballots: Ballots;
  readonly #outbox: Outbox;
  readonly #store: OutboxStore;
  readonly #tokens: TokenKeeper;
  readonly #link: Link;
  readonly #boards: Boards;
  readonly #media: MediaHub;
  #prefix = '';
  #held = false;
  #preparing: Promise<void> | null = null;
  #limits: Limits = { frame_bytes: 16_384, batch: 64, tick_ms: 100 };
  #flushing = false;
  #build = '';
  #welcomed_ms = 0;
  #orphan_ms = 0;
  #storage_failed = false;

  constructor(options: ClientOptions = {}) {
    super();
    this.#options = options;
    const clock = (this.#clock = options.clock ?? platform.systemClock());
    const random = (this.#random = options.random ?? platform.systemRandom());
    this.#storage = platform.storageFor(options.storage ?? 'local');
    this.#timers = new Timers(clock);
    this.#sync = new ClockSync(clock);
    this.#latency = new LatencyMeter((of, ms) => {
      this.#figures.refresh('all');
      this.#events.emit('latency', { of, ms });
    });
    this.#reactions = new Reactions(random);
    this.#ballots = new Ballots(clock, this.#storage);
    const locks = options.locks ?? platform.locksFor(options, clock, random);
    const [wall, failed] = [() => clock.wall(), () => this.#storageFailed()];
    this.#store = new OutboxStore(this.#storage, locks, random, wall, failed);
    this.#outbox = new Outbox({
      clock,
      limit: options.outboxLimit ?? 256,
      maxAgeMs: options.maxEventAgeMs ?? 15 * 60_000,
      onStatus: (sent) => this.#status(sent),
      refresh: (sent) => (isVote(sent) ? this.#ballots.refresh(sent) : sent.args),
      revise: (sent, code) => (isVote(sent) ? this.#ballots.revise(sent, code) : null),
    });
    this.#tokens = new TokenKeeper({
      token: options.token,
      getToken: options.getToken,
      clock,
      random,
      serverNow: () => this.serverNow(),
      onFresh: (token) => this.#link.send(JSON.stringify({ t: 'token', token })),
    });
    this.#link = new Link(this.#owner(), {
      url: platform.urlOf(options),
      transports: options.transports ?? platform.transportsFor(options, clock),
      clock,
      random,
      lifecycle: options.lifecycle ?? platform.systemLifecycle(),
      connectTimeoutMs: options.connectTimeoutMs ?? 8000,
      websocketRetryMs: options.websocketRetryMs ?? 60_000,
    });
    const shared = { clock, random, locks, storage: this.#store.storage };
    this.#boards = new Boards(this.#link, shared, () => this.#prefix);
    this.#media = new MediaHub(this.#link, { clock, random });
    this.#link.state.subscribe((state) => {
      this.#events.emit('state', state);
      if (state.name === 'closed') this.#cleanUp(state.message);
    });
  }

  get state(): Readable<ClientState> {
    return this.#link.state;
  }
  get view(): View {
    return this.#view;
  }
  get tallies(): Readable<ReadonlyMap<string, Tally>> {
    return this.#tallies.all;
  }
  get receipts(): Readable<ReadonlyMap<string, Receipt>> {
    return this.#ballots.receipts;
  }
  get latencies(): Readable<Latencies> {
    return this.#figures.of('all');
  }
  get outbox(): Readable<readonly Sent[]> {
    return this.#outbox.pending;
  }

  connect(): void {
    this.#link.start();
  }

  close(): void {
    if (this.state.get().name !== 'closed') this.#link.stop(0, 'The client was closed.');
  }

  tally(poll: string): Readable<Tally | undefined> {
    return this.#tallies.of(poll);
  }

  ballot(poll: string): Readable<OwnBallot | undefined> {
    return this.#ballots.of(poll);
  }

  serverNow(): number {
    return this.#sync.serverNow();
  }

  on<E extends keyof ClientEvents>(event: E, run: (value: ClientEvents[E]) => void): Unsubscribe {
    return this.#events.on(event, run);
  }

  override send<K extends Exclude<CommandKind, 'emote'>>(kind: K, args: CommandArgs[K]): Sent<K> {
    const sent = new SentEvent<K>({
      k: kind,
      a: args,
      tp: newTraceparent(this.#random),
      at: this.#clock.wall(),
      ...(this.#link.live ? {} : { q: 1 }),
    });
    if (this.#link.live) sent.clickedMs = this.#clock.now();
    if (isVote(sent)) this.#ballots.added(sent);
    this.#outbox.add(sent as unknown as SentEvent);
    this.#flushSoon();
    return sent;
  }

  vote(poll: string, choice: readonly number[]): Sent<'poll.vote'> {
    const n = this.#ballots.nextNumber(poll);
    return this.send('poll.vote', { poll, choice: [...choice], n });
  }

  emote(name: string, n = 1): boolean {
    const { mode } = this.mode.get();
    // A server that sheds load would throw it away.
    if (!this.#link.live || mode === 'degraded' || mode === 'halted') return false;
    if (!this.#reactions.add(name, n)) return false;
    this.#latency.reactionSent(name, this.#clock.now());
    this.#flushSoon();
    return true;
  }

  protected override nonce(): string {
    return randomHex(this.#random, 16);
  }

  // Sending -------------------------------------------------------------------------------------

  /** Once for all that is made in one go, so that it shares a frame. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    void Promise.resolve().then(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#link.live) return;
    while (this.#link.writable) {
      const frame = this.#outbox.nextFrame(this.#limits.batch);
      if (frame === null) break;
      this.#link.send(frame);
    }
    if (this.#link.writable) {
      const frame = this.#reactions.takeFrame(() => this.#outbox.takeNumber());
      if (frame !== null) this.#link.send(frame);
    } else {
      this.#reactions.clear();
    }
    const wait_ms = this.#outbox.tend();
    if (wait_ms === Infinity) this.#timers.clear('flush');
    else this.#timers.set('flush', Math.max(wait_ms, BUSY_MS), () => this.#flush());
  }

  #status(sent: SentEvent): void {
    const status = sent.status.get();
    if (isVote(sent)) this.#ballots.changed(sent);
    if (status.state === 'confirmed' && sent.clickedMs !== null) {
      if (isVote(sent)) {
        this.#latency.voteConfirmed(sent.args.poll, sent.clickedMs, status.log);
      } else {
        this.#latency.add('command', this.#clock.now() - sent.clickedMs);
      }
    }
    this.#events.emit('event', { sent, status });
  }

  // The outbox's place in storage -----------------------------------------------------------------

  /** One at a time: two that open an outbox each would hand the events from one to the other. */
  #prepare(): Promise<void> {
    this.#preparing ??= this.#prepareOnce().finally(() => (this.#preparing = null));
    return this.#preparing;
  }

  async #prepareOnce(): Promise<void> {
    await this.#tokens.prepare();
    const claims = this.#tokens.claims;
    // A token that cannot be read is the server's to refuse; nothing is kept under it.
    const prefix = OutboxStore.prefix(claims?.ep ?? '', claims?.sub ?? '');
    if (this.#held && prefix === this.#prefix) return;
    const slot = await this.#store.open(prefix, this.#outbox.cid);
    this.#letGo();
    this.#prefix = prefix;
    this.#bind(slot);
    this.#ballots.open(prefix);
    if (this.state.get().name === 'closed') this.#cleanUp('The client was closed.');
  }

  #bind(slot: Slot): void {
    this.#held = true;
    for (const sent of this.#outbox.bind(slot)) if (isVote(sent)) this.#ballots.added(sent);
  }

  #letGo(): void {
    if (this.#held) this.#outbox.release();
    this.#held = false;
  }

  /** With nothing of its own to do, sends what a closed tab has left behind. */
  async #adoptOrphan(): Promise<void> {
    this.#orphan_ms = this.#clock.now();
    const slot = await this.#store.orphan(this.#prefix);
    if (!slot) return;
    if (!this.#link.live || this.#outbox.size > 0) return slot.release();
    this.#outbox.release();
    this.#bind(slot);
    this.#link.restart();
  }

  #storageFailed(): void {
    if (this.#storage_failed) return;
    this.#storage_failed = true;
    this.#events.emit('problem', {
      code: ClientCode.storage,
      message: 'Storage refused; what is sent now does not survive a reload.',
    });
  }

  #cleanUp(message: string): void {
    this.#timers.clearAll();
    this.#tokens.stop();
    this.#reactions.clear();
    this.#outbox.abandonAll({ code: ClientCode.closed, message });
    this.#letGo();
    this.#boards.closed();
    this.#media.closed();
  }

  // What the link brings --------------------------------------------------------------------------

  #owner(): LinkOwner {
    return {
      prepare: () => this.#prepare(),
      hello: () => this.#hello(),
      welcome: (message) => this.#welcome(message),
      live: () => this.#live(),
      message: (message) => this.#message(message),
      bytes: (frame) => this.#boards.bytes(frame),
      heartbeat: () => this.#heartbeat(),
      doubt: () => this.#view.doubt(),
      lost: () => {
        this.#timers.clearAll();
        this.#tokens.stop();
        this.#reactions.clear();
        this.#boards.lost();
        this.#media.lost();
      },
      tokenRefused: () => this.#tokens.refused(),
      problem: (problem) => this.#events.emit('problem', problem),
      leaving: () => this.#letGo(),
    };
  }

  #hello(): string {
    const { resume } = this.#view;
    const hello: HelloMessage = {
      t: 'hello',
      v: PROTOCOL_VERSION,
      token: this.#tokens.token,
      cid: this.#outbox.cid,
      ...(resume && { resume }),
      client: this.#options.client ?? `sdk/${VERSION}`,
    };
    return JSON.stringify(hello);
  }

  #welcome(welcome: WelcomeMessage): boolean {
    const { epoch, off, view, me, limits, now_ms, mode, build } = welcome;
    const resume = this.#view.resume;
    // A later owner of the same log goes on with its offsets; its tally versions begin anew.
    if (resume?.epoch !== epoch) this.#tallies.restart();
    if (view) this.#view.reset(epoch, off, view);
    else if (resume) this.#view.resumed(epoch);
    else return false;
    this.#sync.restart();
    this.#sync.welcome(now_ms);
    this.#welcomed_ms = now_ms;
    this.#limits = limits;
    this.#outbox.welcomed(me.last_i, limits.frame_bytes);
    this.#ballots.welcomed(me);
    const { ep, role, name, edge } = welcome;
    const session: Session = { ep, role, name, edge, build, who: me.who, chars: me.chars };
    this.me.set(me);
    this.mode.set(mode);
    this.session.set(session);
    this.#events.emit('welcome', session);
    if (this.#build && build !== this.#build) {
      this.#events.emit('build', { from: this.#build, to: build });
    }
    this.#build ||= build;
    return true;
  }

  #live(): void {
    CLOCK_BURST_MS.forEach((ms, n) =>
      this.#timers.set(`clock ${n}`, ms, () => this.#link.send(this.#ping())),
    );
    this.#tokens.watch();
    this.#flush();
    this.#boards.live();
    this.#media.live();
  }

  #message(message: PassedMessage): void {
    const now_ms = this.#clock.now();
    switch (message.t) {
      case 'ack':
        this.#outbox.acked(message);
        this.#flushSoon();
        break;
      case 'delta':
        this.#delta(message);
        break;
      case 'tally': {
        this.#latency.tallySeen(message.poll, message.log, now_ms);
        const tally = this.#tallies.apply(message);
        if (tally) this.#events.emit('tally', tally);
        break;
      }
      case 'emotes':
        this.#latency.reactionsSeen(Object.keys(message.c), now_ms);
        this.emotes.set(message.c);
        this.#events.emit('emotes', message.c);
        break;
      case 'presence': {
        const { t: _, ...presence } = message;
        this.presence.set(presence);
        this.#events.emit('presence', presence);
        break;
      }
      case 'pong': {
        const rtt_ms = this.#sync.end(message.c, message.s);
        if (rtt_ms !== null) this.#latency.add('rtt', rtt_ms);
        if (rtt_ms !== null) this.clock.set(this.#sync.estimate());
        break;
      }
      case 'mode': {
        const { t: _, ...mode } = message;
        this.mode.set(mode);
        this.#events.emit('mode', mode);
        break;
      }
      case 'slo': {
        const { t: _, ...slo } = message;
        this.slo.set(slo);
        this.#events.emit('slo', slo);
        break;
      }
      case 'board':
        this.#boards.message(message);
        break;
      case 'error':
        this.#events.emit('problem', { code: message.code, message: message.message });
        break;
      default:
        this.#media.message(message);
    }
  }

  #delta(delta: DeltaMessage): void {
    const changed = this.#view.apply(delta);
    if (!changed) return;
    // What a resume catches up with was not late; it was missed.
    if (this.#sync.exact && delta.at >= this.#welcomed_ms) {
      this.#latency.add('delta', this.serverNow() - delta.at);
    }
    const cause = delta.cause ?? null;
    this.#events.emit('delta', { off: delta.off, atMs: delta.at, changed, cause });
  }

  #ping(): string {
    return JSON.stringify({ t: 'ping', c: this.#sync.begin() });
  }

  #heartbeat(): string[] {
    const m = this.#latency.takeReport();
    const messages = [this.#ping(), ...(m.length ? [JSON.stringify({ t: 'lat', m })] : [])];
    if (this.#outbox.size === 0 && this.#clock.now() - this.#orphan_ms > ORPHAN_MS) {
      void this.#adoptOrphan();
    }
    return messages;
  }
}

/** The client of an episode; it does nothing until `connect()`. */
export function createClient(options: ClientOptions = {}): FootlightClient {
  return new FootlightClient(options);
}
