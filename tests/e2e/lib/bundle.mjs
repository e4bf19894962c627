// Bundles a file of this folder for a page; esbuild comes with Vite.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const vite = createRequire(new URL('../../../web/package.json', import.meta.url)).resolve('vite');
const { build } = createRequire(vite)('esbuild');

export async function bundled(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  });
  return outputFiles[0].text;
}
