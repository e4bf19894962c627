/**
 * An address of the session protocol. `base` may be http, https, ws or wss; a path is kept as a
 * prefix. Throws a TypeError when it is no address.
 */
export function address(base: string, secure: 'wss:' | 'https:', path: string): string {
  const url = new URL(base);
  const encrypted = url.protocol === 'https:' || url.protocol === 'wss:';
  if (!encrypted && url.protocol !== 'http:' && url.protocol !== 'ws:') {
    throw new TypeError(`Not an address of an edge: ${base}`);
  }
  const scheme = encrypted ? secure : secure.replace('s:', ':');
  return `${scheme}//${url.host}${url.pathname.replace(/\/+$/, '')}${path}`;
}
