/** The token: asked for when there is none, before it expires, and after a refusal. */

import { fullJitterMs } from './backoff.ts';
import { ClientCode, FootlightError } from './problems.ts';
import { Timers } from './timers.ts';
import { readClaims, type Claims } from './token.ts';
import type { Clock, Random, TokenReason } from './types.ts';

const MARGIN_MS = 60_000;

export interface TokenKeeperOptions {
  token: string | undefined;
  getToken: ((reason: TokenReason) => Promise<string>) | undefined;
  clock: Clock;
  random: Random;
  serverNow: () => number;
  /** A fresh token for the running session. */
  onFresh: (token: string) => void;
}

export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  readonly #timers: Timers;
  #token: string;
  #reason: TokenReason | null;
  #failures = 0;

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#token = options.token ?? '';
    this.#reason = this.#token ? null : 'connect';
  }

  get token(): string {
    return this.#token;
  }
  get claims(): Claims | null {
    return readClaims(this.#token);
  }

  /** Makes sure there is a token to say hello with. */
  async prepare(): Promise<void> {
    const { getToken, serverNow } = this.#options;
    // One that has run out meanwhile is not worth the way.
    if (getToken && !this.#reason && (this.claims?.expMs ?? Infinity) <= serverNow()) {
      this.#reason = 'expiring';
    }
    if (!this.#reason) return;
    if (!getToken) {
      throw new FootlightError({ code: ClientCode.noToken, message: 'There is no token.' });
    }
    this.#token = await this.#ask(this.#reason);
    this.#reason = null;
  }

  /** The server refused it; true when another will be asked for. */
  refused(): boolean {
    if (!this.#options.getToken) return false;
    this.#reason = 'refused';
    return true;
  }

  /** The session runs: sees to a fresh token in time, until `stop`. */
  watch(): void {
    const exp_ms = this.claims?.expMs ?? Infinity;
    if (!this.#options.getToken || exp_ms === Infinity) return;
    const left_ms = exp_ms - this.#options.serverNow();
    this.#failures = 0;
    // A minute early, or half the time of a token that lives shorter than two.
    this.#plan(Math.max(1000, left_ms - Math.min(MARGIN_MS, left_ms / 2)));
  }

  stop(): void {
    this.#timers.clearAll();
  }

  #plan(wait_ms: number): void {
    // A timer holds at most 24.8 days: a longer wait is done in steps.
    const step_ms = Math.min(wait_ms, 0x7fffffff);
    this.#timers.set('fresh', step_ms, () => {
      if (step_ms < wait_ms) this.#plan(wait_ms - step_ms);
      else void this.#refresh();
    });
  }

  async #refresh(): Promise<void> {
    // Set so that `stop` during the wait is seen after it.
    this.#timers.set('waiting', 0x7fffffff, () => {});
    let fresh: string | null = null;
    try {
      fresh = await this.#ask('expiring');
    } catch {
      // Tried again below; when the token runs out first, the server's refusal says so.
    }
    if (!this.#timers.has('waiting')) return;
    this.#timers.clear('waiting');
    if (fresh === null) {
      this.#plan(1000 + fullJitterMs(3 + this.#failures++, this.#options.random));
      return;
    }
    this.#token = fresh;
    this.#options.onFresh(fresh);
    this.watch();
  }

  async #ask(reason: TokenReason): Promise<string> {
    const { getToken } = this.#options;
    let token: unknown;
    try {
      token = await getToken?.(reason);
    } catch (error) {
      const message = `No token could be had: ${String(error)}`;
      throw new FootlightError({ code: ClientCode.noToken, message });
    }
    if (typeof token === 'string' && token) return token;
    throw new FootlightError({ code: ClientCode.noToken, message: 'getToken gave no token.' });
  }
}
