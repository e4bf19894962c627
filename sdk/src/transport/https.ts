import { ClientCode } from '../problems.ts';
import { Timers } from '../timers.ts';
import type { Clock, Connection, ConnectionHandlers, Problem, Transport } from '../types.ts';
import { address } from './address.ts';
import { EventStreamReader } from './sse.ts';

type Fetch = typeof fetch;
type Refusal = Problem & { retryAfterMs?: number };

const BODY_BYTES = 16_384;
/** Beyond this nothing more is taken: the connection is as good as dead. */
const QUEUE_MESSAGES = 512;

/**
 * Server-sent events one way, POSTs of batches the other (docs/protocol.md, Addresses). One POST is
 * under way at a time, so order is kept, and what comes meanwhile goes together in the next.
 */
export function httpsTransport(
  clock: Clock,
  fetcher: Fetch | undefined = globalThis.fetch?.bind(globalThis),
): Transport {
  return {
    kind: 'https',
    open(url, hello, handlers) {
      if (!fetcher) throw new TypeError('There is no fetch here; give one as an option.');
      return new HttpsConnection(clock, fetcher, url, hello, handlers);
    },
  };
}

class HttpsConnection implements Connection {
  readonly #fetch: Fetch;
  readonly #url: string;
  readonly #handlers: ConnectionHandlers;
  readonly #timers: Timers;
  readonly #stream = new AbortController();
  #sid = '';
  #queue: string[] = [];
  #queued_bytes = 0;
  #posting = false;
  #ended = false;

  constructor(
    clock: Clock,
    fetcher: Fetch,
    url: string,
    hello: () => string,
    handlers: ConnectionHandlers,
  ) {
    this.#timers = new Timers(clock);
    this.#fetch = fetcher;
    this.#url = address(url, 'https:', '/v1/sessions');
    this.#handlers = handlers;
    void this.#read(hello());
  }

  send(message: string): void {
    if (this.#ended) return;
    if (this.#queue.length >= QUEUE_MESSAGES) {
      this.#end({ code: ClientCode.network, message: 'The server takes no more messages.' });
      return;
    }
    this.#queue.push(message);
    this.#queued_bytes += message.length;
    void this.#post();
  }

  buffered(): number {
    return this.#queued_bytes;
  }

  welcomed(sid: string): void {
    this.#sid = sid;
    void this.#post();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timers.clearAll();
    // A last word (bye) may outlive the page.
    if (this.#sid && this.#queue.length) {
      const body = this.#queue.join('\n');
      void this.#request(this.#address(), body, { keepalive: true }).catch(() => {});
    }
    this.#stream.abort();
  }

  #address(): string {
    return `${this.#url}/${encodeURIComponent(this.#sid)}`;
  }

  #request(url: string, body: string, more: RequestInit): Promise<Response> {
    return this.#fetch(url, {
      method: 'POST',
      body,
      cache: 'no-store',
      credentials: 'omit',
      // Of the types a page may send to another origin without asking first.
      headers: { 'content-type': 'text/plain;charset=utf-8' },
      ...more,
    });
  }

  async #read(hello: string): Promise<void> {
    try {
      const response = await this.#request(this.#url, hello, { signal: this.#stream.signal });
      if (this.#ended) return;
      if (!response.ok || !response.body) {
        this.#end(await refusalOf(response));
        return;
      }
      this.#handlers.opened();
      const events = new EventStreamReader((line) => {
        if (!this.#ended) this.#handlers.message(line);
      });
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.#ended) break;
        if (!events.push(value)) {
          this.#end({
            code: ClientCode.badServerFrame,
            message: 'The server sent an endless line.',
          });
          return;
        }
      }
      this.#end({ code: ClientCode.network, message: 'The event stream ended.' });
    } catch (error) {
      this.#end({ code: ClientCode.network, message: `The event stream broke: ${String(error)}` });
    }
  }

  async #post(): Promise<void> {
    if (this.#posting || !this.#sid || this.#ended || this.#timers.has('again')) return;
    this.#posting = true;
    while (this.#queue.length && !this.#ended) {
      let bytes = 0;
      let count = 0;
      for (const message of this.#queue) {
        // Three bytes a unit is the most UTF-8 takes.
        bytes += message.length * 3 + 1;
        if (count > 0 && bytes > BODY_BYTES) break;
        ++count;
      }
      const batch = this.#queue.splice(0, count);
      const refusal = await this.#try(batch.join('\n'));
      if (refusal?.retryAfterMs) {
        this.#queue.unshift(...batch);
        this.#timers.set('again', refusal.retryAfterMs, () => void this.#post());
        break;
      }
      for (const message of batch) this.#queued_bytes -= message.length;
      if (refusal) this.#refused(refusal);
    }
    this.#posting = false;
  }

  async #try(body: string): Promise<Refusal | null> {
    try {
      const response = await this.#request(this.#address(), body, {});
      return response.ok ? null : await refusalOf(response);
    } catch (error) {
      return { code: ClientCode.network, message: `Sending failed: ${String(error)}` };
    }
  }

  #refused(refusal: Refusal): void {
    if (this.#ended) return;
    // An unknown session or no network ends it; a fault of one batch does not.
    if (refusal.code < 4000 || refusal.code === 4014) this.#end(refusal);
    else this.#handlers.message(JSON.stringify({ t: 'error', ...refusal }));
  }

  #end(refusal: Refusal): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timers.clearAll();
    this.#stream.abort();
    this.#handlers.closed(refusal);
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
  const network = { code: ClientCode.network, message: `HTTP status ${response.status}.` };
  try {
    const body = (await response.json()) as Record<string, unknown> | null;
    if (!Number.isSafeInteger(body?.['code'])) return network;
    const refusal: Refusal = { code: body?.['code'] as number, message: String(body?.['message']) };
    const after_ms = body?.['retry_after_ms'];
    if (Number.isSafeInteger(after_ms) && (after_ms as number) > 0) {
      refusal.retryAfterMs = after_ms as number;
    }
    return refusal;
  } catch {
    return network;
  }
}
