// Fails when the client, bundled and minified, is larger than a page should have to load.
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.mjs';

const limit_bytes = 25 * 1024;
const bytes = await bundle(null);
const gzip_bytes = gzipSync(bytes, { level: 9 }).length;
const line = `client: ${bytes.length} B minified, ${gzip_bytes} B gzip of ${limit_bytes} B allowed`;
console.log(line);
if (gzip_bytes > limit_bytes) {
  console.error('The client grew beyond its limit; see what came in before raising it.');
  process.exit(1);
}
