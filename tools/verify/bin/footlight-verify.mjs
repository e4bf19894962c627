#!/usr/bin/env node
// Checks an exported episode; see ../README.md. Needs `npm run build -w tools/verify` once.
let cli;
try {
  cli = await import('../dist/cli.js');
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  console.error('footlight-verify is not built; run: npm run build -w tools/verify');
  process.exit(2);
}
process.exitCode = await cli.main(process.argv.slice(2));
