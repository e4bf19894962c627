import { ClientCode } from '../problems.ts';
import type {
  Connection,
  ConnectionHandlers,
  Transport,
  WebSocketConstructor,
  WebSocketLike,
} from '../types.ts';
import { address } from './address.ts';

export const SUBPROTOCOL = 'footlight.v1';

/** One message per text frame, a board's in binary ones (docs/protocol.md, Addresses, Boards). */
export function websocketTransport(
  constructor: WebSocketConstructor | undefined = globalThis.WebSocket as never,
): Transport {
  return {
    kind: 'websocket',
    open(url: string, hello: () => string, handlers: ConnectionHandlers): Connection {
      if (!constructor) throw new TypeError('There is no WebSocket here; give one as an option.');
      const socket = new constructor(address(url, 'wss:', '/v1/ws'), SUBPROTOCOL);
      socket.binaryType = 'arraybuffer';
      let ended = false;
      const end = (): void => {
        ended = true;
        socket.onopen = socket.onmessage = socket.onclose = null;
      };
      socket.onopen = () => {
        socket.send(hello());
        handlers.opened();
      };
      socket.onmessage = (event: { data: unknown }) => {
        if (typeof event.data === 'string') handlers.message(event.data);
        else if (event.data instanceof ArrayBuffer) handlers.bytes?.(new Uint8Array(event.data));
      };
      // What went wrong is told by the close that always follows; `ws` throws without a listener.
      socket.onerror = () => {};
      socket.onclose = (event: { code: number; reason: string }) => {
        end();
        const told = event.code >= 4000 && event.code <= 4999;
        handlers.closed({
          code: told ? event.code : ClientCode.network,
          message: event.reason || `The connection ended (${event.code}).`,
        });
      };
      return connectionOf(socket, () => ended, end);
    },
  };
}

function connectionOf(socket: WebSocketLike, ended: () => boolean, end: () => void): Connection {
  return {
    send(message) {
      if (!ended()) socket.send(message);
    },
    sendBytes(frame) {
      if (!ended()) socket.send(frame as Uint8Array<ArrayBuffer>);
    },
    buffered: () => socket.bufferedAmount,
    welcomed() {},
    close() {
      if (ended()) return;
      end();
      socket.close(1000);
    },
  };
}
