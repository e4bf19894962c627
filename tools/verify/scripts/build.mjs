// Builds dist/: ES modules with types (tsc), one minified module, and one page that needs nothing else
// (verify.html: open it from a disk, without a server and without a network).
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));
// esbuild comes with Vite; a second copy is not worth a dependency.
const { build } = createRequire(require.resolve('vite'))('esbuild');

async function bundle(entry) {
  const result = await build({
    entryPoints: [`${root}/src/${entry}`],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    write: false,
  });
  return result.outputFiles[0].text;
}

rmSync(`${root}/dist`, { recursive: true, force: true });
const tsc = require.resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
writeFileSync(`${root}/dist/footlight-verify.min.js`, await bundle('index.ts'));
const script = (await bundle('page.ts')).replaceAll('</script', '<\\/script');
const page = readFileSync(`${root}/page/index.html`, 'utf8');
writeFileSync(
  `${root}/dist/verify.html`,
  page.replace('<!-- script -->', () => `<script type="module">${script}</script>`),
);
