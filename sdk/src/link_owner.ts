/** What a link is given and asks for; `link.ts` is the link. */

import type { Clock, Lifecycle, Problem, Random, Transport } from './types.ts';
import type { ByeMessage, ServerMessage, WelcomeMessage } from './wire.ts';

/** A session message other than those the link deals with itself. */
export type PassedMessage = Exclude<ServerMessage, WelcomeMessage | ByeMessage>;

/** What the link asks of its owner. */
export interface LinkOwner {
  /** Makes ready what a hello needs. May throw a `FootlightError`. */
  prepare(): Promise<void>;
  hello(): string;
  /** Takes in a welcome; false when it resumes what is not there. */
  welcome(message: WelcomeMessage): boolean;
  /** The state is `live` and all may be sent. */
  live(): void;
  message(message: PassedMessage): void;
  /** A binary frame of a session that is live. */
  bytes(frame: Uint8Array): void;
  /** What to send so that the server answers. */
  heartbeat(): string[];
  /** The view can no longer be trusted: the next hello must not resume. */
  doubt(): void;
  /** The connection is gone. */
  lost(): void;
  /** The server refused the token; true when another can be asked for. */
  tokenRefused(): boolean;
  problem(problem: Problem): void;
  /** The page goes away, perhaps for good. */
  leaving(): void;
}

export interface LinkOptions {
  url: string;
  transports: readonly Transport[];
  clock: Clock;
  random: Random;
  lifecycle: Lifecycle;
  connectTimeoutMs: number;
  websocketRetryMs: number;
}
