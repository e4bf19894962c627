// Where a page finds its token, its episode and its server. All of it comes in the fragment, which
// browsers do not send: a token never reaches an access log or a Referer header.

export interface Address {
  token: string;
  episode: string;
  /** Origin of the node, without a trailing slash; '' when the page's own. */
  server: string;
  /** What else the fragment said, such as an overlay's `show` and `theme`. */
  options: URLSearchParams;
}

/** Just as much of Storage as is needed; sessionStorage may be missing or throw. */
export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const kKey = 'footlight.address.';

/**
 * Reads the address of `page` from `fragment` and remembers it on `shelf`, so that a reload finds it
 * after the fragment was taken out of the address bar. null when there is no token anywhere.
 */
export function read_address(page: string, fragment: string, shelf: Shelf | null): Address | null {
  const options = new URLSearchParams(fragment.replace(/^#/, ''));
  const key = kKey + page;
  if (options.get('token')) {
    attempt(() => shelf?.setItem(key, options.toString()));
  } else {
    const stored = attempt(() => shelf?.getItem(key) ?? null);
    if (!stored) return null;
    for (const [name, value] of new URLSearchParams(stored)) {
      if (!options.has(name)) options.set(name, value);
    }
  }
  const token = options.get('token') ?? '';
  const episode = options.get('ep') || (claims(token)?.['ep'] as string | undefined) || '';
  return { token, episode, server: origin_of(options.get('server')), options };
}

export function forget_address(page: string, shelf: Shelf | null): void {
  attempt(() => shelf?.removeItem(kKey + page));
}

export function page_shelf(): Shelf | null {
  return attempt(() => window.sessionStorage) ?? null;
}

/** The claims inside a token, unverified: only good for words on the page. null when unreadable. */
export function claims(token: string): Record<string, unknown> | null {
  const body = token.split('.')[1];
  if (!body) return null;
  return (
    attempt(() => {
      const binary = atob(body.replace(/-/g, '+').replace(/_/g, '/'));
      const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? (value as Record<string, unknown>)
        : null;
    }) ?? null
  );
}

function origin_of(text: string | null): string {
  if (!text) return '';
  const url = attempt(() => new URL(text));
  return url && /^https?:$/.test(url.protocol) ? url.origin : '';
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
