/**
 * The way to the server: one connection at a time, made again by itself until it is told to stop.
 *
 *   idle → connecting → live → waiting → connecting → …            closed: by stop() or the server
 *
 * Transports are tried most wanted first. One that fails before a welcome hands over to the next at
 * once when it has never worked here, after three failures when it has. While a lesser one is in
 * use the most wanted is tried again from time to time beside it, and takes over when it has brought
 * a welcome: nothing is missed, because the session is resumed.
 *
 * A transport that comes and goes (a data channel) is offered while it is there. It is tried beside the
 * others like a better one, and when it fails the others are there at once.
 *
 * Whatever the network does, at most one attempt, one connection and one trial of a better transport
 * are under way; `#line` and `#trial` are the only ones whose messages count.
 */

import { advisedMs, fullJitterMs } from './backoff.ts';
import type { LinkOptions, LinkOwner } from './link_owner.ts';
import { parseServerMessage } from './parse.ts';
import { ClientCode, FootlightError, isTokenProblem, worthReconnecting } from './problems.ts';
import { Value } from './readable.ts';
import { Timers } from './timers.ts';
import type {
  ClientState,
  Connection,
  LifecycleEvent,
  Problem,
  Transport,
  Unsubscribe,
} from './types.ts';
import { PROTOCOL_VERSION, type ByeMessage, type WelcomeMessage } from './wire.ts';

const PING_MS = 10_000;
/** Over a transport that has another to fall back to a stall is noticed soon. */
const BRISK_PING_MS = 1500;
const CHECK_MS = 5000;
const STABLE_MS = 5000;
const HIDDEN_WAIT_MS = 5000;
const UPGRADE_CAP_MS = 600_000;
const MAX_TOKEN_REFUSALS = 5;
const BUFFER_BYTES = 64 * 1024;

interface Line {
  transport: Transport;
  connection: Connection | null;
  live: boolean;
}

export class Link {
  readonly state = new Value<ClientState>({ name: 'idle' });
  readonly #owner: LinkOwner;
  readonly #options: LinkOptions;
  readonly #timers: Timers;
  #line: Line | null = null;
  #trial: Line | null = null;
  #trial_said_hello = false;
  #unwatch: Unsubscribe | null = null;
  /** Counts attempts and stops, so that what comes late can see that it is late. */
  #round = 0;
  #attempt = 0;
  #index = 0;
  #misses = 0;
  #tried = 0;
  #worked = new Set<Transport>();
  #token_refusals = 0;
  #upgrade_ms = 0;
  #unanswered = 0;
  #sent_ms = 0;
  #advised = false;
  #offered: Transport | null = null;
  /** It failed since it was offered: it is tried again as other better ones are, after a while. */
  #offer_failed = false;

  constructor(owner: LinkOwner, options: LinkOptions) {
    this.#owner = owner;
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  get live(): boolean {
    return this.#line?.live === true;
  }
  /** Whether the connection takes more without piling it up. */
  get writable(): boolean {
    return this.live && (this.#line?.connection?.buffered() ?? 0) < BUFFER_BYTES;
  }

  start(): void {
    const { name } = this.state.get();
    if (name !== 'idle' && name !== 'closed') return;
    this.#attempt = this.#misses = this.#token_refusals = this.#tried = 0;
    this.#upgrade_ms = this.#options.websocketRetryMs;
    this.#unwatch ??= this.#options.lifecycle.subscribe((event) => this.#lifecycle(event));
    void this.#open();
  }

  /** Ends everything. `code` 0: by the user. */
  stop(code: number, message: string): void {
    if (code === 0) this.#sayBye();
    this.#drop();
    this.#unwatch?.();
    this.#unwatch = null;
    this.state.set({ name: 'closed', code, message });
  }

  send(message: string): void {
    if (!this.live) return;
    this.#sent_ms = this.#options.clock.now();
    this.#line?.connection?.send(message);
  }

  /** Whether the connection takes binary frames. */
  get binary(): boolean {
    return this.#line?.connection?.sendBytes !== undefined;
  }
  sendBytes(frame: Uint8Array): void {
    if (!this.live) return;
    this.#sent_ms = this.#options.clock.now();
    this.#line?.connection?.sendBytes?.(frame);
  }

  /** A better transport, for as long as it is there; null when it is gone. */
  offer(transport: Transport | null): void {
    const gone = this.#offered;
    if (transport === gone) return;
    this.#offered = transport;
    this.#offer_failed = false;
    if (this.#trial && this.#trial.transport === gone) this.#endTrial();
    if (this.#line?.transport === gone && gone) this.#fallBack();
    else if (transport && this.live) this.#planTrial();
  }

  /** Connects anew at once. */
  restart(): void {
    if (!this.live) return;
    this.#drop();
    void this.#open();
  }

  /** Asks for a sign of life; without one the connection is given up. */
  check(): void {
    if (!this.live) return;
    this.#beat();
    this.#timers.set('check', CHECK_MS, () => this.#silent());
  }

  async #open(): Promise<void> {
    const round = ++this.#round;
    const transport = this.#transport();
    this.state.set({ name: 'connecting', transport: transport.kind, attempt: this.#attempt });
    try {
      await this.#owner.prepare();
    } catch (error) {
      if (round === this.#round) this.#again(problemOf(error));
      return;
    }
    if (round === this.#round) this.#connect();
  }

  #transport(): Transport {
    return this.#options.transports[this.#index] as Transport;
  }

  /** The one there is none better than. */
  #best(): Transport {
    return this.#offered ?? (this.#options.transports[0] as Transport);
  }

  #isOffered(line: Line | null): boolean {
    return line !== null && line.transport.kind === 'channel';
  }

  /** What was offered failed; the session goes on over another transport without a wait. */
  #fallBack(): void {
    this.#offer_failed = true;
    this.#drop();
    void this.#open();
  }

  #connect(): void {
    const line: Line = { transport: this.#transport(), connection: null, live: false };
    this.#await(line);
    this.#dial(line);
  }

  #await(line: Line): void {
    this.#line = line;
    this.#timers.set('welcome', this.#options.connectTimeoutMs, () =>
      this.#missed(line, { code: ClientCode.network, message: 'No welcome came in time.' }),
    );
  }

  #dial(line: Line): void {
    try {
      line.connection = line.transport.open(this.#options.url, () => this.#owner.hello(), {
        opened: () => {
          if (line === this.#trial) this.#trial_said_hello = true;
        },
        message: (text) => this.#message(line, text),
        bytes: (frame) => {
          if (line !== this.#line || !line.live) return;
          this.#heard();
          this.#owner.bytes(frame);
        },
        closed: (problem) => this.#closed(line, problem),
      });
    } catch (error) {
      this.#closed(line, problemOf(error));
    }
  }

  #message(line: Line, text: string): void {
    if (line !== this.#line && line !== this.#trial) return;
    const message = parseServerMessage(text);
    if (line === this.#line) this.#heard();
    if (message.t === 'unreadable') {
      this.#unreadable(line, message.of, text);
    } else if (message.t === 'unknown') {
      // A newer server's; docs/protocol.md has it ignored.
    } else if (message.t === 'welcome') {
      if (!line.live) this.#welcome(line, message);
    } else if (message.t === 'bye') {
      this.#bye(line, message);
    } else if (line.live) {
      this.#owner.message(message);
    } else if (message.t === 'error') {
      this.#owner.problem({ code: message.code, message: message.message });
    }
  }

  /** What may have been a delta leaves the view in doubt: it is asked for anew. */
  #unreadable(line: Line, of: string, text: string): void {
    const message = `A frame of the server could not be read: ${text.slice(0, 80)}`;
    const problem = { code: ClientCode.badServerFrame, message };
    this.#owner.problem(problem);
    if (line !== this.#line || !line.live || (of !== '' && of !== 'delta')) return;
    this.#owner.doubt();
    this.#drop();
    this.#again(problem);
  }

  #heard(): void {
    this.#unanswered = 0;
    this.#timers.clear('check');
    // Timers of a hidden page are slowed down to one a minute; what the server sends is not.
    if (this.live && this.#options.clock.now() - this.#sent_ms > 1.5 * PING_MS) this.#beat();
  }

  #welcome(line: Line, welcome: WelcomeMessage): void {
    if (welcome.v !== PROTOCOL_VERSION) {
      this.stop(4003, `The server speaks version ${welcome.v} of the protocol.`);
      return;
    }
    if (line === this.#trial) {
      this.#line?.connection?.close();
      if (this.#line?.live) this.#owner.lost();
      this.#line = line;
      this.#trial = null;
      this.#took(line);
    }
    line.live = true;
    this.#timers.clear('welcome');
    this.#timers.clear('trial');
    this.#worked.add(line.transport);
    this.#misses = this.#tried = this.#token_refusals = this.#unanswered = 0;
    this.#trial_said_hello = false;
    line.connection?.welcomed(welcome.sid);
    if (!this.#owner.welcome(welcome)) {
      this.#drop();
      this.#again({ code: ClientCode.badServerFrame, message: 'There was nothing to resume.' });
      return;
    }
    const { edge, resumed } = welcome;
    const { kind } = line.transport;
    this.state.set({ name: 'live', transport: kind, resumed, edge });
    if (line !== this.#line || !line.live) return;
    this.#timers.set('stable', STABLE_MS, () => (this.#attempt = 0));
    // Spread, so that a crowd that came at once does not ping at once for ever.
    this.#timers.set('ping', this.#pingMs() * (0.5 + this.#options.random.unit() / 2), () =>
      this.#ping(),
    );
    if (line.transport !== this.#best()) this.#planTrial();
    else this.#upgrade_ms = this.#options.websocketRetryMs;
    this.#owner.live();
  }

  #took(line: Line): void {
    if (line.transport === this.#options.transports[0]) this.#index = 0;
  }

  #bye(line: Line, bye: ByeMessage): void {
    if (line === this.#trial) {
      this.#endTrial();
      return;
    }
    // Our own trial of a better transport took the session's place.
    const ours = bye.code === 4902 && this.#trial_said_hello;
    if (ours && this.#trial) {
      this.#rely(this.#trial);
      return;
    }
    this.#drop();
    if (ours) void this.#open();
    else this.#ended(bye, bye.reconnect, bye.reconnect ? bye.after_ms : undefined);
  }

  /** The trial's welcome is on its way, and what it replaces has ended before it came. */
  #rely(trial: Line): void {
    this.#trial = null;
    this.#drop();
    this.#took(trial);
    const transport = trial.transport.kind;
    this.#await(trial);
    this.state.set({ name: 'connecting', transport, attempt: this.#attempt });
  }

  #closed(line: Line, problem: Problem & { retryAfterMs?: number }): void {
    if (line === this.#trial) {
      this.#endTrial();
      return;
    }
    if (line !== this.#line) return;
    if (this.#trial && this.#trial_said_hello) {
      this.#rely(this.#trial);
      return;
    }
    if (this.#isOffered(line) && problem.code < 4000) {
      this.#fallBack();
      return;
    }
    if (!line.live && problem.code < 4000) {
      this.#missed(line, problem);
      return;
    }
    this.#drop();
    const { retryAfterMs: after_ms } = problem;
    const range = after_ms ? ([after_ms, after_ms * 1.5] as [number, number]) : undefined;
    const again = range !== undefined || worthReconnecting(problem.code);
    this.#ended(problem, again, range);
  }

  /** An attempt brought no welcome. */
  #missed(line: Line, problem: Problem): void {
    if (line !== this.#line) return;
    if (this.#isOffered(line)) {
      this.#fallBack();
      return;
    }
    this.#drop();
    ++this.#misses;
    const { transports } = this.#options;
    if (this.#misses >= (this.#worked.has(this.#transport()) ? 3 : 1) && transports.length > 1) {
      this.#misses = 0;
      this.#index = (this.#index + 1) % transports.length;
      if (++this.#tried < transports.length) {
        void this.#open();
        return;
      }
    }
    this.#tried = 0;
    this.#again(problem);
  }

  #ended(problem: Problem, again: boolean, range: [number, number] | undefined): void {
    const { code, message } = problem;
    if (isTokenProblem(code)) {
      if (this.#owner.tokenRefused() && ++this.#token_refusals <= MAX_TOKEN_REFUSALS) {
        this.#again(problem);
      } else {
        this.stop(code, message);
      }
    } else if (!again) {
      this.stop(code, message);
    } else if (range) {
      this.#wait(problem, advisedMs(range, this.#options.random), true);
    } else {
      this.#again(problem);
    }
  }

  #again(problem: Problem): void {
    const wait_ms = fullJitterMs(this.#attempt++, this.#options.random);
    this.#wait(problem, wait_ms + (this.#options.lifecycle.hidden() ? HIDDEN_WAIT_MS : 0), false);
  }

  #wait({ code, message }: Problem, wait_ms: number, advised: boolean): void {
    this.#advised = advised;
    this.#timers.set('again', wait_ms, () => void this.#open());
    const until = this.#options.clock.wall() + wait_ms;
    this.state.set({ name: 'waiting', reason: { code, message }, until, attempt: this.#attempt });
  }

  #ping(): void {
    if (this.#unanswered >= 2) {
      this.#silent();
      return;
    }
    this.#beat();
    this.#timers.set('ping', this.#pingMs(), () => this.#ping());
  }

  #pingMs(): number {
    return this.#isOffered(this.#line) ? BRISK_PING_MS : PING_MS;
  }

  #beat(): void {
    ++this.#unanswered;
    for (const message of this.#owner.heartbeat()) this.send(message);
  }

  #silent(): void {
    if (this.#isOffered(this.#line)) {
      this.#fallBack();
      return;
    }
    this.#drop();
    this.#again({ code: ClientCode.network, message: 'The server fell silent.' });
  }

  #planTrial(): void {
    const fresh = this.#offered !== null && !this.#offer_failed;
    this.#timers.set('upgrade', fresh ? 0 : this.#upgrade_ms, () => this.#beginTrial());
    if (!fresh) this.#upgrade_ms = Math.min(UPGRADE_CAP_MS, this.#upgrade_ms * 2);
  }

  #beginTrial(): void {
    if (this.#options.lifecycle.hidden()) {
      this.#planTrial();
      return;
    }
    const transport = this.#best();
    if (this.#trial || transport === this.#line?.transport) return;
    const line: Line = { transport, connection: null, live: false };
    this.#trial = line;
    this.#timers.set('trial', this.#options.connectTimeoutMs, () => this.#endTrial());
    this.#dial(line);
  }

  #endTrial(): void {
    this.#timers.clear('trial');
    if (this.#isOffered(this.#trial)) this.#offer_failed = true;
    this.#trial?.connection?.close();
    this.#trial = null;
    if (this.live && this.#line?.transport !== this.#best()) this.#planTrial();
  }

  #lifecycle(event: LifecycleEvent): void {
    const { name } = this.state.get();
    if (event === 'leave' && name !== 'closed') {
      this.#sayBye();
      this.#drop();
      this.#owner.leaving();
      const reason = { code: ClientCode.closed, message: 'The page went away.' };
      this.state.set({ name: 'waiting', reason, until: Infinity, attempt: 0 });
    } else if (event === 'visible' || event === 'online' || event === 'return') {
      if (this.live) this.check();
      else if (name === 'waiting' && (event === 'return' || !this.#advised)) {
        this.#timers.clear('again');
        void this.#open();
      }
    }
  }

  #sayBye(): void {
    if (this.live) this.#line?.connection?.send('{"t":"bye"}');
  }

  /** Ends whatever is under way: no timer, no connection, no attempt is left. */
  #drop(): void {
    ++this.#round;
    this.#timers.clearAll();
    const line = this.#line;
    const trial = this.#trial;
    this.#line = this.#trial = null;
    this.#trial_said_hello = false;
    trial?.connection?.close();
    line?.connection?.close();
    if (line?.live) this.#owner.lost();
  }
}

function problemOf(error: unknown): Problem {
  if (error instanceof FootlightError) return { code: error.code, message: error.message };
  return { code: ClientCode.network, message: String(error) };
}
