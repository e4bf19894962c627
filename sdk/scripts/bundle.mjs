import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// esbuild comes with Vite; a second copy is not worth a dependency.
const { build } = createRequire(createRequire(import.meta.url).resolve('vite'))('esbuild');

/**
 * Bundles an entry as a page ships it, without its peers (`external`); `outfile` null only returns
 * the bytes.
 */
export async function bundle(outfile, entry = 'src/index.ts', external = []) {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    external,
    write: outfile !== null,
    outfile: outfile ?? 'footlight.min.js',
  });
  return outfile === null ? result.outputFiles[0].contents : null;
}
