// Builds dist/: readable ES modules with types (tsc), and one minified file for pages without a
// bundler (esbuild).
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(`${root}/dist`, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
// tsc rewrites the extensions of imports in the code it emits, but not in the types.
for (const name of readdirSync(`${root}/dist`, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const text = readFileSync(`${root}/dist/${name}`, 'utf8');
  writeFileSync(`${root}/dist/${name}`, text.replace(/(from '\.[^']*)\.ts'/g, "$1.js'"));
}
await bundle(`${root}/dist/footlight.min.js`);
