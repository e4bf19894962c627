/**
 * The boards' messages within a session: which board a frame is for, and how it is packed. What is
 * inside a frame (y-protocols) is not looked at; that is `src/yjs`.
 *
 * A binary frame is 0x01, the board's id (length as a varUint, then UTF-8), and one y-protocols
 * message. Where the transport has text only, the same message is base64url in `d` of a `board`.
 */

import type { Link } from './link.ts';
import type { BoardHandlers, BoardPort } from './types.ts';
import type { BoardMessage } from './wire.ts';

const FRAME_BOARD = 1;

type Context = Pick<BoardPort, 'clock' | 'random' | 'locks' | 'storage'>;

export class Boards {
  #ports = new Map<string, BoardHandlers>();
  readonly #link: Link;
  readonly #context: Context;
  readonly #prefix: () => string;

  /** `prefix`: of the account's keys in storage, known once a token is. */
  constructor(link: Link, context: Context, prefix: () => string) {
    this.#link = link;
    this.#context = context;
    this.#prefix = prefix;
  }

  attach(id: string, handlers: BoardHandlers): BoardPort {
    if (this.#ports.has(id)) throw new TypeError(`The board ${id} is open already.`);
    this.#ports.set(id, handlers);
    const link = this.#link;
    const prefix = this.#prefix;
    return {
      ...this.#context,
      get prefix() {
        return prefix();
      },
      get live() {
        return link.live;
      },
      get binary() {
        return link.binary;
      },
      get writable() {
        return link.writable;
      },
      send: (message) => link.send(JSON.stringify(message)),
      sendFrame: (payload) => {
        if (link.binary) link.sendBytes(packed(id, payload));
        else link.send(JSON.stringify({ t: 'board', b: id, d: base64url(payload) }));
      },
      detach: () => {
        if (this.#ports.get(id) === handlers) this.#ports.delete(id);
      },
    };
  }

  live(): void {
    for (const port of [...this.#ports.values()]) port.live();
  }
  lost(): void {
    for (const port of [...this.#ports.values()]) port.lost();
  }
  closed(): void {
    for (const port of [...this.#ports.values()]) port.closed();
  }

  message(message: BoardMessage): void {
    const port = this.#ports.get(message.b);
    if (!port) return;
    const { d } = message;
    if (typeof d !== 'string') port.message(message);
    else if (/^[\w-]*$/.test(d)) port.frame(fromBase64url(d));
  }

  /** A frame that cannot be read, or of a board that is not open here, is passed over. */
  bytes(frame: Uint8Array): void {
    const read = unpacked(frame);
    if (read) this.#ports.get(read.id)?.frame(read.payload);
  }
}

/** Null: not a frame of a board. */
export function unpacked(frame: Uint8Array): { id: string; payload: Uint8Array } | null {
  const length = frame[1] ?? 0;
  // Ids of boards are at most 64 bytes, so their length is one.
  if (frame[0] !== FRAME_BOARD || length === 0 || length > 127 || frame.length < 2 + length) {
    return null;
  }
  const id = new TextDecoder().decode(frame.subarray(2, 2 + length));
  return { id, payload: frame.subarray(2 + length) };
}

/** Board ids are at most 127 bytes, so that the length is one byte. */
export function packed(id: string, payload: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(id);
  const frame = new Uint8Array(2 + name.length + payload.length);
  frame.set([FRAME_BOARD, name.length]);
  frame.set(name, 2);
  frame.set(payload, 2 + name.length);
  return frame;
}

export function base64url(bytes: Uint8Array): string {
  let text = '';
  // In pieces: arguments of a call are few.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** Of text that holds only base64url's letters. */
export function fromBase64url(text: string): Uint8Array {
  try {
    const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
