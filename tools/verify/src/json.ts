/**
 * JSON (RFC 8259) of which nothing is known. Maps keep the order of the file: the index of a poll is its
 * place there, and JSON.parse would move keys such as "7" to the front. A wrong type is an Error with a
 * sentence, never a crash.
 */

export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

const MOST_DEPTH = 40;

class Parser {
  private at = 0;
  constructor(private readonly source: string) {}

  document(): Json {
    const value = this.value(0);
    this.blanks();
    if (this.at !== this.source.length) throw new Error('something follows the JSON value');
    return value;
  }

  private blanks(): void {
    while (' \t\n\r'.includes(this.source[this.at] ?? 'x')) ++this.at;
  }
  private take(sign: string): boolean {
    this.blanks();
    if (this.source[this.at] !== sign) return false;
    ++this.at;
    return true;
  }
  private token(pattern: RegExp): string {
    this.blanks();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found === null) throw new Error(`this is no JSON at character ${this.at}`);
    this.at += found[0].length;
    return found[0];
  }

  private value(depth: number): Json {
    if (depth > MOST_DEPTH) throw new Error('the JSON is nested too deep');
    if (this.take('{')) return this.map(depth);
    if (this.take('[')) {
      const out: Json[] = [];
      if (this.take(']')) return out;
      do out.push(this.value(depth + 1));
      while (this.take(','));
      this.token(/\]/y);
      return out;
    }
    if (this.source[this.at] === '"') return this.text();
    const word = this.token(
      /null|true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y,
    );
    return word === 'null'
      ? null
      : word === 'true'
        ? true
        : word === 'false'
          ? false
          : Number(word);
  }

  private map(depth: number): Json {
    const out = new Map<string, Json>();
    if (this.take('}')) return out;
    do {
      this.blanks();
      const key = this.text();
      if (out.has(key)) throw new Error(`the key ${JSON.stringify(key)} stands twice`);
      this.token(/:/y);
      out.set(key, this.value(depth + 1));
    } while (this.take(','));
    this.token(/\}/y);
    return out;
  }

  private text(): string {
    // eslint-disable-next-line no-control-regex -- control characters must be escaped
    const raw = this.token(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    return JSON.parse(raw) as string;
  }
}

/** Throws an Error with a sentence. */
export function parseJson(source: string): Json {
  return new Parser(source).document();
}

function member(json: Json | undefined, key: string): Json | undefined {
  return json instanceof Map ? json.get(key) : undefined;
}

function wrong(key: string, what: string): never {
  throw new Error(`"${key}" is missing or is no ${what}`);
}

export function text(json: Json, key: string, otherwise?: string): string {
  const value = member(json, key) ?? otherwise;
  return typeof value === 'string' ? value : wrong(key, 'text');
}

export function int(json: Json, key: string, otherwise?: number): number {
  const value = member(json, key) ?? otherwise;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : wrong(key, 'integer');
}

export function bool(json: Json, key: string, otherwise?: boolean): boolean {
  const value = member(json, key) ?? otherwise;
  return typeof value === 'boolean' ? value : wrong(key, 'boolean');
}

/** The member as a list; an empty one when it is absent. */
export function list(json: Json, key: string): Json[] {
  const value = member(json, key) ?? [];
  return Array.isArray(value) ? value : wrong(key, 'list');
}

/** The member as a map; an empty one when it is absent. */
export function map(json: Json, key: string): Map<string, Json> {
  const value = member(json, key) ?? new Map<string, Json>();
  return value instanceof Map ? value : wrong(key, 'map');
}
