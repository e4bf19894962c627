// Gives each build an identity that both sides can compare: `build.json` for the server and for a
// page that polls, a meta tag for the page itself. It is derived from the hashed asset names, so an
// unchanged source keeps its id and an overlay is not reloaded for nothing.
import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';

const kPlaceholder = '__FOOTLIGHT_BUILD__';

export function build_id(): Plugin {
  let id = 'dev';
  return {
    name: 'footlight-build-id',
    enforce: 'post',
    transformIndexHtml: {
      order: 'post',
      handler: (html, context) => (context.bundle ? html : html.replaceAll(kPlaceholder, id)),
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const names = Object.keys(bundle)
          .filter((name) => !name.endsWith('.html'))
          .sort();
        const pages = Object.values(bundle)
          .filter((file) => file.type === 'asset' && file.fileName.endsWith('.html'))
          .map((file) => (file.type === 'asset' ? String(file.source) : ''))
          .sort();
        const hash = createHash('sha256');
        for (const text of [...names, ...pages]) hash.update(text).update('\n');
        id = hash.digest('hex').slice(0, 12);
        for (const file of Object.values(bundle)) {
          if (file.type === 'asset' && file.fileName.endsWith('.html')) {
            file.source = String(file.source).replaceAll(kPlaceholder, id);
          }
        }
        this.emitFile({
          type: 'asset',
          fileName: 'build.json',
          source: JSON.stringify({ build: id }) + '\n',
        });
      },
    },
  };
}
