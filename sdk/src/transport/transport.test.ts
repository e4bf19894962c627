import { describe, expect, test } from 'vitest';
import { ManualClock, settled } from '../fake/index.ts';
import { ClientCode } from '../problems.ts';
import type { ConnectionHandlers, Problem } from '../types.ts';
import { address } from './address.ts';
import { httpsTransport } from './https.ts';
import { EventStreamReader } from './sse.ts';
import { websocketTransport } from './websocket.ts';

describe('addresses', () => {
  test('follow the scheme, keep host, port and prefix', () => {
    expect(address('https://a.example', 'wss:', '/v1/ws')).toBe('wss://a.example/v1/ws');
    expect(address('http://127.0.0.1:18100/', 'wss:', '/v1/ws')).toBe('ws://127.0.0.1:18100/v1/ws');
    expect(address('wss://a.example/edge/', 'https:', '/v1')).toBe('https://a.example/edge/v1');
    expect(address('ws://[::1]:1', 'https:', '/v1')).toBe('http://[::1]:1/v1');
    expect(() => address('ftp://a', 'wss:', '/')).toThrow(TypeError);
    expect(() => address('a.example', 'wss:', '/')).toThrow(TypeError);
  });
});

describe('the event stream', () => {
  const encoder = new TextEncoder();

  test('gives the same messages however it is cut', () => {
    const text =
      ': hello\n\ndata: {"t":"a"}\n\ndata:{"t":"grüße 🎲"}\r\n\r\nid: 3\nretry: 5\ndata: x\ndata: y\n\n';
    const bytes = encoder.encode(text);
    for (let size = 1; size <= bytes.length; ++size) {
      const lines: string[] = [];
      const reader = new EventStreamReader((line) => lines.push(line));
      for (let k = 0; k < bytes.length; k += size) reader.push(bytes.subarray(k, k + size));
      expect(lines, `cut at ${size}`).toEqual(['{"t":"a"}', '{"t":"grüße 🎲"}', 'x', 'y']);
    }
  });

  test('of an endless line is not kept', () => {
    const reader = new EventStreamReader(() => {}, 100);
    expect(reader.push(encoder.encode('data: ' + 'x'.repeat(90)))).toBe(true);
    expect(reader.push(encoder.encode('x'.repeat(90)))).toBe(false);
  });
});

interface Heard {
  handlers: ConnectionHandlers;
  opened: number;
  messages: string[];
  closed: (Problem & { retryAfterMs?: number })[];
}
function listener(): Heard {
  const heard: Heard = { opened: 0, messages: [], closed: [], handlers: null as never };
  heard.handlers = {
    opened: () => void ++heard.opened,
    message: (text) => void heard.messages.push(text),
    closed: (problem) => void heard.closed.push(problem),
  };
  return heard;
}

interface Asked {
  url: string;
  body: string;
  keepalive: boolean;
  answer: (status: number, body?: unknown) => void;
  fail: () => void;
  aborted: () => boolean;
}

/** A fetch whose every answer is the test's. */
function scripted(): {
  fetch: typeof fetch;
  asked: Asked[];
  stream: (text: string | null) => void;
} {
  const asked: Asked[] = [];
  let wake = (): void => {};
  const chunks: (string | null)[] = [];
  const body = {
    getReader: () => ({
      read: async () => {
        while (!chunks.length) await new Promise<void>((resolve) => (wake = resolve));
        const text = chunks.shift() ?? null;
        return text === null
          ? { done: true }
          : { done: false, value: new TextEncoder().encode(text) };
      },
    }),
  };
  const run = (url: string, init: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) =>
      asked.push({
        url,
        body: String(init.body),
        keepalive: init.keepalive === true,
        aborted: () => init.signal?.aborted === true,
        fail: () => reject(new TypeError('failed')),
        answer: (status, json) =>
          resolve({
            ...{ ok: status < 300, status, body: status === 200 ? body : null },
            json: () =>
              json === undefined ? Promise.reject(new SyntaxError()) : Promise.resolve(json),
          } as never),
      }),
    );
  return {
    fetch: run as typeof fetch,
    asked,
    stream: (text) => {
      chunks.push(text);
      wake();
    },
  };
}

describe('HTTPS', () => {
  async function opened() {
    const clock = new ManualClock();
    const http = scripted();
    const heard = listener();
    const transport = httpsTransport(clock, http.fetch);
    const connection = transport.open('http://h', () => 'HELLO', heard.handlers);
    http.asked[0]?.answer(200);
    await settled();
    http.stream('data: WELCOME\n\n');
    await settled();
    connection.welcomed('s/1');
    return { clock, http, heard, connection };
  }

  test('says hello in the POST that opens the stream, and reads messages from it', async () => {
    const { http, heard } = await opened();
    expect(http.asked[0]).toMatchObject({ url: 'http://h/v1/sessions', body: 'HELLO' });
    expect(heard.opened).toBe(1);
    expect(heard.messages).toEqual(['WELCOME']);
  });

  test('sends one POST at a time; what comes meanwhile goes together in the next', async () => {
    const { http, connection } = await opened();
    for (const text of ['a', 'b', 'c']) connection.send(text);
    expect(http.asked.slice(1).map((one) => one.body)).toEqual(['a']);
    expect(http.asked[1]?.url).toBe('http://h/v1/sessions/s%2F1');
    expect(connection.buffered()).toBe(3);
    http.asked[1]?.answer(204);
    await settled();
    expect(http.asked.slice(1).map((one) => one.body)).toEqual(['a', 'b\nc']);
    http.asked[2]?.answer(204);
    await settled();
    expect(connection.buffered()).toBe(0);
  });

  test('keeps messages until the session has a name', async () => {
    const clock = new ManualClock();
    const http = scripted();
    const connection = httpsTransport(clock, http.fetch).open('http://h', () => 'H', {
      ...listener().handlers,
    });
    connection.send('early');
    expect(http.asked).toHaveLength(1);
    connection.welcomed('s');
    expect(http.asked[1]?.body).toBe('early');
  });

  test('keeps a body within 16 KiB', async () => {
    const { http, connection } = await opened();
    connection.send('first');
    for (let k = 0; k < 4; ++k) connection.send('€'.repeat(2000));
    http.asked[1]?.answer(204);
    await settled();
    expect(http.asked[2]?.body.split('\n')).toHaveLength(2);
  });

  test('told to wait, sends the same again after that time', async () => {
    const { clock, http, connection, heard } = await opened();
    connection.send('a');
    connection.send('b');
    http.asked[1]?.answer(429, { code: 4200, message: 'slow', retry_after_ms: 700 });
    await settled();
    connection.send('c');
    await clock.advance(690);
    expect(http.asked).toHaveLength(2);
    await clock.advance(20);
    expect(http.asked[2]?.body).toBe('a\nb\nc');
    expect(heard.messages).toEqual(['WELCOME']);
    connection.close();
    expect(clock.pending).toBe(0);
  });

  test('an unknown session or a failed POST ends it; a fault of the batch does not', async () => {
    const one = await opened();
    one.connection.send('a');
    one.http.asked[1]?.answer(400, { code: 4011, message: 'too many', retry_after_ms: 0 });
    await settled();
    expect(JSON.parse(one.heard.messages[1] ?? '')).toMatchObject({ t: 'error', code: 4011 });
    one.connection.send('b');
    one.http.asked[2]?.answer(404, { code: 4014, message: 'unknown', retry_after_ms: 0 });
    await settled();
    expect(one.heard.closed).toEqual([{ code: 4014, message: 'unknown' }]);
    one.connection.send('c');
    expect(one.http.asked).toHaveLength(3);

    const two = await opened();
    two.connection.send('a');
    two.http.asked[1]?.fail();
    await settled();
    expect(two.heard.closed).toMatchObject([{ code: ClientCode.network }]);
  });

  test('a refused hello tells the code and how long to wait', async () => {
    const http = scripted();
    const heard = listener();
    httpsTransport(new ManualClock(), http.fetch).open('http://h', () => 'H', heard.handlers);
    http.asked[0]?.answer(503, { code: 4205, message: 'full', retry_after_ms: 2000 });
    await settled();
    expect(heard.closed).toEqual([{ code: 4205, message: 'full', retryAfterMs: 2000 }]);
  });

  test('an answer that is not ours (a proxy’s page) is the network’s fault', async () => {
    for (const body of [undefined, 'text', { code: 'x' }, null]) {
      const http = scripted();
      const heard = listener();
      httpsTransport(new ManualClock(), http.fetch).open('http://h', () => 'H', heard.handlers);
      http.asked[0]?.answer(502, body);
      await settled();
      expect(heard.closed).toMatchObject([{ code: ClientCode.network }]);
    }
  });

  test('the end of the stream is told once, and after close() nothing is', async () => {
    const one = await opened();
    one.http.stream(null);
    await settled();
    expect(one.heard.closed).toHaveLength(1);
    const two = await opened();
    two.connection.close();
    two.http.stream('data: late\n\n');
    two.http.stream(null);
    await settled();
    expect(two.heard.closed).toEqual([]);
    expect(two.heard.messages).toEqual(['WELCOME']);
    expect(two.http.asked[0]?.aborted()).toBe(true);
  });

  test('the last word goes out at close, and may outlive the page', async () => {
    const { http, connection } = await opened();
    connection.send('a');
    connection.send('bye');
    connection.close();
    expect(http.asked[2]).toMatchObject({ body: 'bye', keepalive: true });
  });

  test('a server that takes nothing more ends it, before the queue grows without end', async () => {
    const { http, connection, heard } = await opened();
    for (let k = 0; k < 600; ++k) connection.send('x');
    expect(heard.closed).toHaveLength(1);
    expect(http.asked).toHaveLength(2);
  });
});

describe('WebSocket', () => {
  class Socket {
    static last: Socket;
    bufferedAmount = 7;
    onopen: ((event: unknown) => void) | null = null;
    onmessage: ((event: unknown) => void) | null = null;
    onerror: ((event: unknown) => void) | null = null;
    onclose: ((event: unknown) => void) | null = null;
    sent: string[] = [];
    closed: (number | undefined)[] = [];
    readonly url: string;
    readonly protocol: unknown;
    constructor(url: string, protocol: unknown) {
      this.url = url;
      this.protocol = protocol;
      Socket.last = this;
    }
    send(data: string): void {
      this.sent.push(data);
    }
    close(code?: number): void {
      this.closed.push(code);
    }
  }
  const open = (heard: Heard) =>
    websocketTransport(Socket as never).open('https://h', () => 'HELLO', heard.handlers);

  test('opens with the subprotocol and says hello first', () => {
    const heard = listener();
    const connection = open(heard);
    expect(Socket.last).toMatchObject({ url: 'wss://h/v1/ws', protocol: 'footlight.v1' });
    Socket.last.onopen?.({});
    connection.send('next');
    expect(Socket.last.sent).toEqual(['HELLO', 'next']);
    expect(heard.opened).toBe(1);
    expect(connection.buffered()).toBe(7);
  });

  test('passes text on, and leaves binary frames out', () => {
    const heard = listener();
    open(heard);
    Socket.last.onmessage?.({ data: 'text' });
    Socket.last.onmessage?.({ data: new ArrayBuffer(3) });
    expect(heard.messages).toEqual(['text']);
  });

  test('tells the server’s code, and calls every other end the network’s', () => {
    const ends = [
      [4901, 'slow', 4901],
      [1006, '', ClientCode.network],
      [1011, 'oops', ClientCode.network],
      [5000, '', ClientCode.network],
    ] as const;
    for (const [code, reason, want] of ends) {
      const heard = listener();
      open(heard);
      Socket.last.onerror?.({});
      Socket.last.onclose?.({ code, reason });
      expect(heard.closed).toMatchObject([{ code: want }]);
    }
  });

  test('says nothing after close(), and sends nothing after the end', () => {
    const heard = listener();
    const connection = open(heard);
    const socket = Socket.last;
    const { onclose, onmessage } = socket;
    connection.close();
    connection.close();
    connection.send('late');
    expect(socket.closed).toEqual([1000]);
    expect(socket.sent).toEqual([]);
    expect([socket.onclose, socket.onmessage, socket.onopen]).toEqual([null, null, null]);
    expect([onclose, onmessage]).not.toContain(null);
    expect(heard.closed).toEqual([]);
  });

  test('where there is none, says what to do', () => {
    expect(() =>
      websocketTransport(null as never).open('https://h', () => '', listener().handlers),
    ).toThrow(/WebSocket/);
  });
});
