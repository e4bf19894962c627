/**
 * Reads a `text/event-stream` (WHATWG HTML, section 9.2.6) as the session protocol uses it: each
 * `data:` line is one message; comments and other fields are passed over.
 */
export class EventStreamReader {
  #text = '';
  #decoder = new TextDecoder();
  readonly #onData: (line: string) => void;
  readonly #limit: number;

  /** `limit`: characters a line may have. */
  constructor(onData: (line: string) => void, limit = 8 * 1024 * 1024) {
    this.#onData = onData;
    this.#limit = limit;
  }

  /** False when a line is longer than allowed: the stream cannot be trusted any more. */
  push(bytes: Uint8Array): boolean {
    // Only what is new is searched for line ends, or a long line would cost its square.
    let from = this.#text.length;
    this.#text += this.#decoder.decode(bytes, { stream: true });
    let start = 0;
    for (;;) {
      const end = this.#text.indexOf('\n', from);
      if (end < 0) break;
      this.#line(this.#text.slice(start, this.#text[end - 1] === '\r' ? end - 1 : end));
      start = from = end + 1;
    }
    this.#text = this.#text.slice(start);
    return this.#text.length <= this.#limit;
  }

  #line(line: string): void {
    if (!line.startsWith('data:')) return;
    this.#onData(line.slice(line[5] === ' ' ? 6 : 5));
  }
}
