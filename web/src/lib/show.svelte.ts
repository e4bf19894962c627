// One episode as Svelte sees it: the SDK's stores as reactive values, plus what only pages need: a
// ticking server clock, notices of what was refused, the course of the latencies.
import type {
  Client,
  CollectionName,
  Collections,
  CommandArgs,
  CommandKind,
  Poll,
  Problem,
  Readable,
  Sent,
} from '@footlight/client';
import { fromStore } from 'svelte/store';
import { refusal_text } from './words';

type Store<T> = { readonly current: T };

export interface Notice {
  id: number;
  kind: 'good' | 'bad';
  text: string;
}

/** One second of the slo messages, for the plots. */
export interface SloPoint {
  at_s: number;
  p50: Record<string, number>;
  p99: Record<string, number>;
}

const kNoticeMs = 8000;
const kNoticesAtMost = 4;
const kSloPointsAtMost = 300;
const kTickMs = 250;

export class Show {
  readonly client: Client;
  /** Server time, Unix milliseconds, stepping four times a second. */
  now_ms = $state(0);
  notices = $state.raw<readonly Notice[]>([]);
  slo_points = $state.raw<readonly SloPoint[]>([]);
  /** Once live, the page keeps showing the last view through every outage. */
  was_live = $state(false);
  /** Spoken by the page's live region; the last one wins. */
  announcement = $state('');

  #next_id = 1;
  #collections = new Map<CollectionName, Store<ReadonlyMap<string, unknown>>>();
  #ballots = new Map<string, Store<ReturnType<ReturnType<Client['ballot']>['get']>>>();
  #state;
  #session;
  #me;
  #mode;
  #presence;
  #slo;
  #tallies;
  #receipts;
  #latencies;
  #outbox;
  #clock;
  #unannounce: () => void = () => {};
  readonly #announced = new Map<string, string>();

  constructor(client: Client) {
    this.client = client;
    this.now_ms = client.serverNow();
    this.#state = fromStore(client.state);
    this.#session = fromStore(client.session);
    this.#me = fromStore(client.me);
    this.#mode = fromStore(client.mode);
    this.#presence = fromStore(client.presence);
    this.#slo = fromStore(client.slo);
    this.#tallies = fromStore(client.tallies);
    this.#receipts = fromStore(client.receipts);
    this.#latencies = fromStore(client.latencies);
    this.#outbox = fromStore(client.outbox);
    this.#clock = fromStore(client.clock);
  }

  get state() {
    return this.#state.current;
  }
  get session() {
    return this.#session.current;
  }
  get me() {
    return this.#me.current;
  }
  get mode() {
    return this.#mode.current;
  }
  get presence() {
    return this.#presence.current;
  }
  get slo() {
    return this.#slo.current;
  }
  get tallies() {
    return this.#tallies.current;
  }
  get receipts() {
    return this.#receipts.current;
  }
  get latencies() {
    return this.#latencies.current;
  }
  get outbox() {
    return this.#outbox.current;
  }
  get clock() {
    return this.#clock.current;
  }

  get live(): boolean {
    return this.state.name === 'live';
  }
  get role() {
    return this.session?.role ?? 'viewer';
  }
  get directs(): boolean {
    return this.role === 'gm' || this.role === 'producer';
  }
  /** The log takes nothing any more. */
  get halted(): boolean {
    return this.mode.mode === 'halted';
  }

  all<C extends CollectionName>(name: C): ReadonlyMap<string, Collections[C]> {
    let store = this.#collections.get(name);
    if (!store) {
      store = fromStore(this.client.view.collection(name));
      this.#collections.set(name, store);
    }
    return store.current as ReadonlyMap<string, Collections[C]>;
  }
  one<C extends CollectionName>(name: C, id: string): Collections[C] | undefined {
    return this.all(name).get(id);
  }

  get episode() {
    return this.one('episode', 'state');
  }
  get scene() {
    const id = this.episode?.scene;
    return id ? this.one('scenes', id) : undefined;
  }

  ballot(poll: string) {
    let store = this.#ballots.get(poll);
    if (!store) {
      store = fromStore(this.client.ballot(poll));
      this.#ballots.set(poll, store);
    }
    return store.current;
  }

  /** Final counts once there are any, else the running tally; null when this role may not see it. */
  counts(poll_id: string): { counts: readonly number[]; voters: number; final: boolean } | null {
    const result = this.one('polls', poll_id)?.result;
    if (result) return { counts: result.counts, voters: result.voters, final: true };
    return this.tallies.get(poll_id) ?? null;
  }

  send<K extends Exclude<CommandKind, 'emote'>>(kind: K, args: CommandArgs[K], done = ''): Sent<K> {
    return this.watch(this.client.send(kind, args), done);
  }

  /** Tells the person when `sent` is refused, and with `done` also when it has come to pass. */
  watch<K extends CommandKind>(sent: Sent<K>, done = ''): Sent<K> {
    sent.confirmed.then(
      () => done && this.notify('good', done),
      (error: Problem) => {
        // 0: the client was closed; the event waits in the outbox and nothing was refused.
        if (error.code !== 0) this.notify('bad', refusal_text(sent.kind, error));
      },
    );
    return sent;
  }

  notify(kind: Notice['kind'], text: string): void {
    const notice = { id: this.#next_id++, kind, text };
    this.notices = [...this.notices, notice].slice(-kNoticesAtMost);
    setTimeout(() => this.dismiss(notice.id), kNoticeMs);
  }
  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }
  announce(text: string): void {
    this.announcement = text;
  }

  /** Starts the clock and the subscriptions; returns what ends them. */
  start(): () => void {
    const client = this.client;
    const ticker = setInterval(() => (this.now_ms = client.serverNow()), kTickMs);
    const endings = [
      () => clearInterval(ticker),
      client.on('state', (state) => {
        if (state.name === 'live') this.was_live = true;
      }),
      client.on('slo', (slo) => {
        const point: SloPoint = { at_s: Math.round(client.serverNow() / 1000), p50: {}, p99: {} };
        for (const row of slo.m) {
          if (row.n === 0) continue;
          point.p50[row.class] = row.p50;
          point.p99[row.class] = row.p99;
        }
        this.slo_points = [...this.slo_points, point].slice(-kSloPointsAtMost);
      }),
      this.announce_polls(client.view.collection('polls')),
      () => this.#unannounce(),
    ];
    return () => endings.forEach((end) => end());
  }

  /** Openings and results are spoken as these tell them, and no others. */
  announce_polls(source: Readable<ReadonlyMap<string, Poll>>): () => void {
    this.#unannounce();
    const known = this.#announced;
    return (this.#unannounce = source.subscribe((polls) => {
      for (const [id, poll] of polls) {
        const before = known.get(id);
        known.set(id, poll.state);
        if (before === poll.state) continue;
        if (poll.state === 'open') {
          this.announce(`Poll open: ${poll.title}. Options: ${poll.options.join(', ')}.`);
        } else if (poll.state === 'closed' && before !== undefined) {
          const winner = poll.result?.winner;
          const name = winner === null || winner === undefined ? null : poll.options[winner];
          this.announce(`Poll closed: ${poll.title}. ${name ? `Result: ${name}.` : 'No winner.'}`);
        }
      }
    }));
  }
}
