// Writes the content security policy into every built page, so that it holds on any host, and needs
// no 'unsafe-inline': styles set by script go through the CSSOM, which the policy allows.
import type { Plugin } from 'vite';

/**
 * `FOOTLIGHT_CONNECT_SRC` adds origins, space-separated, for pages that are hosted apart from their
 * node. Portraits may come from any https address, as episode files name them by URL.
 */
export function policy(connect = process.env['FOOTLIGHT_CONNECT_SRC'] ?? ''): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self' data: https:",
    "media-src 'self' blob:",
    `connect-src 'self' ${connect}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

export function content_policy(): Plugin {
  return {
    name: 'footlight-content-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: policy() },
        injectTo: 'head-prepend',
      },
    ],
  };
}
