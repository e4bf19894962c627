// Serves web/dist as the node does, near enough for the pages: index files, types, no caching.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../web/dist/', import.meta.url));
const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** `answers` maps a path to an object that is sent as JSON. */
export async function serve_pages(port, answers = {}) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname);
    if (answers[path]) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answers[path]));
      return;
    }
    const file = join(root, normalize(path), path.endsWith('/') ? 'index.html' : '');
    try {
      const body = file.startsWith(root) ? await readFile(file) : null;
      if (!body) throw new Error('outside');
      response.writeHead(200, {
        'content-type': kTypes[extname(file)] ?? 'application/octet-stream',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}
