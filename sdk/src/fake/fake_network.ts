/** The network between clients and the fake server: a WebSocket class and a fetch, with latency and faults. */

import type { Clock, TransportKind, WebSocketConstructor, WebSocketLike } from '../types.ts';

/** One connection as the server sees it. */
export interface Peer {
  send(text: string): void;
  /** A binary frame; absent over HTTPS. */
  sendBytes?(frame: Uint8Array): void;
  /** `code` 0: without a word, as a cut cable. */
  close(code: number, reason: string): void;
}
/** The server's end of it. */
export interface Acceptor {
  message(text: string): void;
  bytes(frame: Uint8Array): void;
  gone(): void;
}

export interface FakeServing {
  accept(peer: Peer, transport: TransportKind): Acceptor;
  /** The end that belongs to an HTTPS session, or null. */
  find(sid: string): Acceptor | null;
}

export class FakeNetwork {
  /** One way. */
  latencyMs: number;
  /** WebSocket connections fail, as behind a proxy that knows only HTTP. */
  blockWebSocket = false;
  /** WebSockets open, and then nothing comes through either way. */
  muteWebSocket = false;
  blockHttps = false;
  /** Nothing gets through any more, and nobody is told. */
  silent = false;
  /** Connections tried, by transport. */
  readonly tries = { websocket: 0, https: 0, channel: 0 };
  readonly WebSocket: WebSocketConstructor;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly #serving: FakeServing;

  constructor(clock: Clock, serving: FakeServing, latency_ms: number) {
    this.clock = clock;
    this.latencyMs = latency_ms;
    this.#serving = serving;
    this.WebSocket = webSocketOf(this, serving);
    this.fetch = ((url: string, init: RequestInit) => this.#request(url, init)) as typeof fetch;
  }

  /** One direction of one connection: in order, whatever the latency does meanwhile. */
  pipe(): (run: () => void) => void {
    let last_ms = 0;
    return (run) => {
      if (this.silent) return;
      last_ms = Math.max(last_ms, this.clock.now() + this.latencyMs);
      this.clock.setTimeout(run, last_ms - this.clock.now());
    };
  }

  /** The server's end of a data channel that came open. */
  accept(peer: Peer): Acceptor {
    ++this.tries.channel;
    return this.#serving.accept(peer, 'channel');
  }

  async #request(url: string, init: RequestInit): Promise<Response> {
    const path = new URL(url).pathname;
    const body = String(init.body);
    const opening = path.endsWith('/v1/sessions');
    if (opening) ++this.tries.https;
    await this.#pass();
    if (this.blockHttps) throw new TypeError('fetch failed');
    if (opening) return this.#stream(body, init.signal ?? null);
    const end = this.#serving.find(decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)));
    if (end) for (const line of body.split('\n')) end.message(line);
    await this.#pass();
    return end
      ? reply(204, null)
      : reply(404, { code: 4014, message: 'Unknown.', retry_after_ms: 0 });
  }

  #pass(): Promise<void> {
    return new Promise((resolve) => this.pipe()(resolve));
  }

  async #stream(hello: string, signal: AbortSignal | null): Promise<Response> {
    const chunks: (Uint8Array | null)[] = [];
    const pipe = this.pipe();
    let wake = (): void => {};
    let broken = false;
    const push = (chunk: Uint8Array | null): void =>
      pipe(() => {
        chunks.push(chunk);
        wake();
      });
    const encoder = new TextEncoder();
    const end = this.#serving.accept(
      {
        send: (text) => push(encoder.encode(`data: ${text}\n\n`)),
        close: () => push(null),
      },
      'https',
    );
    signal?.addEventListener('abort', () => {
      broken = true;
      wake();
      end.gone();
    });
    end.message(hello);
    await this.#pass();
    const read = async (): Promise<{ done: boolean; value?: Uint8Array }> => {
      while (!chunks.length && !broken) await new Promise<void>((resolve) => (wake = resolve));
      if (broken) throw new TypeError('aborted');
      const value = chunks.shift() ?? null;
      return value ? { done: false, value } : { done: true };
    };
    return { ok: true, status: 200, body: { getReader: () => ({ read }) } } as unknown as Response;
  }
}

function reply(status: number, body: object | null): Response {
  const json = (): Promise<unknown> => Promise.resolve(body);
  return { ok: status < 300, status, body: null, json } as unknown as Response;
}

function webSocketOf(network: FakeNetwork, serving: FakeServing): WebSocketConstructor {
  return class FakeWebSocket implements WebSocketLike {
    bufferedAmount = 0;
    binaryType = 'blob';
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: never) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    onclose: ((event: never) => void) | null = null;
    #up = network.pipe();
    #down = network.pipe();
    #end: Acceptor | null = null;
    #closed = false;

    constructor(url: string, protocols?: string | string[]) {
      ++network.tries.websocket;
      if (!/^wss?:.*\/v1\/ws$/.test(url) || protocols !== 'footlight.v1') {
        throw new SyntaxError(`Not how a session is opened: ${url} ${String(protocols)}`);
      }
      this.#up(() => {
        if (network.blockWebSocket) this.#fall(1006, '');
        else this.#down(() => this.#open());
      });
    }

    send(data: string | Uint8Array): void {
      if (!this.#end || network.muteWebSocket) return;
      const sent = typeof data === 'string' ? data : data.slice();
      this.#up(() => {
        if (typeof sent === 'string') this.#end?.message(sent);
        else this.#end?.bytes(sent);
      });
    }

    close(): void {
      this.#closed = true;
      this.#up(() => this.#end?.gone());
    }

    #open(): void {
      if (this.#closed) return;
      const peer: Peer = {
        send: (text) => this.#receive(text),
        sendBytes: (frame) => this.#receive(frame.slice().buffer),
        close: (code, reason) => this.#fall(code || 1006, reason),
      };
      this.#end = serving.accept(peer, 'websocket');
      this.onopen?.({} as never);
    }

    #receive(data: string | ArrayBuffer): void {
      this.#down(() => {
        if (!this.#closed && !network.muteWebSocket) this.onmessage?.({ data } as never);
      });
    }

    #fall(code: number, reason: string): void {
      this.#down(() => {
        if (this.#closed) return;
        this.#closed = true;
        this.onerror?.({} as never);
        this.onclose?.({ code, reason } as never);
      });
    }
  };
}
