/** Questions and answers about media over the client's session, and who is told what. */

import type { Client, Clock, MediaPort, Random, Transport } from '../types.ts';
import type { AnyMediaMessage, MediaMessage, MediaRequest } from '../wire.ts';

/** A question without its number. */
export type Question =
  | Omit<Extract<MediaRequest, { t: 'media.open' }>, 'n'>
  | Omit<Extract<MediaRequest, { t: 'media.resume' }>, 'n'>
  | Omit<Extract<MediaRequest, { t: 'media.ice' }>, 'n'>;

/** What a media session wants to hear. */
export interface Listener {
  /** Null until the server has named it. */
  readonly id: string | null;
  live(): void;
  message(message: AnyMediaMessage): void;
}

export class Signaling {
  readonly clock: Clock;
  readonly random: Random;
  readonly #port: MediaPort;
  #waiting = new Map<number, (answer: MediaMessage | null) => void>();
  #next = 1;
  #listeners = new Set<Listener>();

  constructor(
    client: Client,
    room: (message: Extract<AnyMediaMessage, { t: 'media.room' }>) => void,
    closed: () => void,
  ) {
    this.#port = client.media({
      live: () => [...this.#listeners].forEach((one) => one.live()),
      lost: () => this.#lost(),
      closed: () => {
        this.#lost();
        closed();
      },
      message: (message) => {
        if (message.t === 'media.room') room(message);
        else this.#message(message);
      },
    });
    this.clock = this.#port.clock;
    this.random = this.#port.random;
  }

  get live(): boolean {
    return this.#port.live;
  }

  /** Whether an answer is awaited. */
  get asking(): boolean {
    return this.#waiting.size > 0;
  }
  offer(transport: Transport | null): void {
    this.#port.offer(transport);
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }
  remove(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** Null when the session was lost before the answer came. */
  ask(question: Question): Promise<MediaMessage | null> {
    if (!this.live) return Promise.resolve(null);
    const n = this.#next++;
    const answer = new Promise<MediaMessage | null>((resolve) => this.#waiting.set(n, resolve));
    const { t, ...rest } = question;
    this.#port.send({ t, n, ...rest } as MediaRequest);
    return answer;
  }

  send(message: MediaRequest): void {
    this.#port.send(message);
  }

  detach(): void {
    this.#lost();
    this.#listeners.clear();
    this.#port.detach();
  }

  #message(message: Exclude<AnyMediaMessage, { t: 'media.room' }>): void {
    if (message.t === 'media' && message.n !== undefined) {
      this.#waiting.get(message.n)?.(message);
      this.#waiting.delete(message.n);
      return;
    }
    for (const one of [...this.#listeners]) if (one.id === message.id) one.message(message);
  }

  #lost(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(null);
  }
}
