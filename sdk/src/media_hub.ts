/** The way of voice and video's signaling through the session; what it means is `src/media`. */

import type { Link } from './link.ts';
import type { MediaHandlers, MediaPort } from './types.ts';
import type { AnyMediaMessage } from './wire.ts';

type Context = Pick<MediaPort, 'clock' | 'random'>;

export class MediaHub {
  #handlers: MediaHandlers | null = null;
  readonly #link: Link;
  readonly #context: Context;

  constructor(link: Link, context: Context) {
    this.#link = link;
    this.#context = context;
  }

  attach(handlers: MediaHandlers): MediaPort {
    if (this.#handlers) throw new TypeError('Voice and video are attached already.');
    this.#handlers = handlers;
    const link = this.#link;
    return {
      ...this.#context,
      get live() {
        return link.live;
      },
      send: (message) => link.send(JSON.stringify(message)),
      offer: (transport) => link.offer(transport),
      detach: () => {
        if (this.#handlers !== handlers) return;
        this.#handlers = null;
        link.offer(null);
      },
    };
  }

  live(): void {
    this.#handlers?.live();
  }
  lost(): void {
    this.#handlers?.lost();
  }
  closed(): void {
    this.#handlers?.closed();
  }
  message(message: AnyMediaMessage): void {
    this.#handlers?.message(message);
  }
}
