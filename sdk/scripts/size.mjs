// Fails when the client, its Yjs provider, or voice and video, bundled and minified, is larger than a page should
// have to load. The provider is measured without Yjs, which its editor brings along.
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.mjs';

const entries = [
  { name: 'client', entry: 'src/index.ts', limit_bytes: 25 * 1024 },
  {
    name: 'provider',
    entry: 'src/yjs/index.ts',
    limit_bytes: 10 * 1024,
    external: ['yjs', 'y-protocols/*', 'lib0/*'],
  },
  { name: 'program', entry: 'src/program/index.ts', limit_bytes: 9 * 1024 },
  { name: 'media', entry: 'src/media/index.ts', limit_bytes: 10 * 1024 },
];
let grown = false;
for (const { name, entry, limit_bytes, external = [] } of entries) {
  const bytes = await bundle(null, entry, external);
  const gzip_bytes = gzipSync(bytes, { level: 9 }).length;
  console.log(
    `${name}: ${bytes.length} B minified, ${gzip_bytes} B gzip of ${limit_bytes} B allowed`,
  );
  grown ||= gzip_bytes > limit_bytes;
}
if (grown) {
  console.error('It grew beyond its limit; see what came in before raising it.');
  process.exit(1);
}
