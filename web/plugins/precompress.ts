// Writes a .br and a .gz beside each text file of the build, so that the server sends bytes that
// were compressed once, at the highest level, instead of compressing per request.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const kText = /\.(html|js|css|json|svg|txt|map)$/;
// Below this a compressed copy saves less than the header that announces it.
const kLeastBytes = 256;

const brotli = promisify(brotliCompress);
const deflate = promisify(gzip);

export async function precompress_folder(folder: string): Promise<number> {
  let count = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      count += await precompress_folder(path);
      continue;
    }
    if (!kText.test(entry.name)) continue;
    const bytes = await readFile(path);
    if (bytes.length < kLeastBytes) continue;
    const [br, gz] = await Promise.all([
      brotli(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }),
      deflate(bytes, { level: 9 }),
    ]);
    await Promise.all([writeFile(`${path}.br`, br), writeFile(`${path}.gz`, gz)]);
    count += 2;
  }
  return count;
}

export function precompress(): Plugin {
  let folder = '';
  return {
    name: 'footlight-precompress',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir);
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      handler: async () => void (await precompress_folder(folder)),
    },
  };
}
