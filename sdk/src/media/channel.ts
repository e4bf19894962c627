/**
 * The session protocol over a data channel of a peer connection (docs/protocol.md, Data channels): a
 * transport beside WebSocket, for as long as the peer connection holds.
 */

import { ClientCode } from '../problems.ts';
import type { Connection, ConnectionHandlers, Transport } from '../types.ts';

const PROTOCOL = 'footlight.v1';
/** Begins a part of a message that is too long for one; then comes what it is. */
const PART = 2;
const [MORE, LAST_OF_TEXT] = [0, 1];
/** As long as any message of the server's; beyond, the channel is not to be trusted. */
const MESSAGE_BYTES = 8 * 1024 * 1024;

/** Null where the browser has none. */
export function makeChannel(peer: RTCPeerConnection): RTCDataChannel | null {
  return peer.createDataChannel?.(PROTOCOL, { protocol: PROTOCOL, ordered: true }) ?? null;
}

/** Whether an answer takes data channels. */
export const takesChannels = (answer: string): boolean => /^m=application [1-9]/m.test(answer);

/**
 * `first` was made before the offer, or there would be no m-line; it is used once. Later sessions of
 * the same peer connection have a channel of their own.
 */
export function channelTransport(peer: RTCPeerConnection, first: RTCDataChannel): Transport {
  let unused: RTCDataChannel | null = first;
  return {
    kind: 'channel',
    open(_url, hello, handlers) {
      const channel = unused ?? makeChannel(peer);
      unused = null;
      if (!channel) throw new TypeError('There is no data channel.');
      return connectionOf(channel, hello, handlers);
    },
  };
}

function connectionOf(
  channel: RTCDataChannel,
  hello: () => string,
  handlers: ConnectionHandlers,
): Connection {
  channel.binaryType = 'arraybuffer';
  let parts: Uint8Array[] = [];
  let part_bytes = 0;
  let ended = false;
  const end = (): void => {
    ended = true;
    channel.onopen = channel.onmessage = channel.onclose = channel.onerror = null;
    parts = [];
  };
  const lost = (message: string): void => {
    if (ended) return;
    end();
    channel.close();
    handlers.closed({ code: ClientCode.network, message });
  };
  const begin = (): void => {
    channel.send(hello());
    handlers.opened();
  };
  const part = (bytes: Uint8Array): void => {
    parts.push(bytes.subarray(2));
    part_bytes += bytes.length;
    if (part_bytes > MESSAGE_BYTES) return lost('A message of the server has no end.');
    if (bytes[1] === MORE) return;
    const whole = joined(parts);
    parts = [];
    part_bytes = 0;
    if (bytes[1] === LAST_OF_TEXT) handlers.message(new TextDecoder().decode(whole));
    else handlers.bytes?.(whole);
  };
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (typeof data === 'string') return handlers.message(data);
    if (!(data instanceof ArrayBuffer)) return;
    const bytes = new Uint8Array(data);
    if (bytes[0] === PART) part(bytes);
    else handlers.bytes?.(bytes);
  };
  channel.onerror = () => {};
  channel.onclose = () => lost('The data channel closed.');
  if (channel.readyState === 'open') begin();
  else if (channel.readyState === 'connecting') channel.onopen = begin;
  else queueMicrotask(() => lost('The data channel is closed.'));
  // A channel that has gone meanwhile throws; its end is told on its own.
  const send = (data: string | Uint8Array): void => {
    try {
      if (!ended) channel.send(data as string);
    } catch {
      lost('The data channel takes nothing.');
    }
  };
  return {
    send,
    sendBytes: send,
    buffered: () => channel.bufferedAmount,
    welcomed() {},
    close() {
      if (ended) return;
      end();
      channel.close();
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    out.set(one, at);
    at += one.length;
  }
  return out;
}
