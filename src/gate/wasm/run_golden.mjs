// Runs the golden vectors of proto and gate inside the WebAssembly module and compares every answer.
//   node run_golden.mjs gate.wasm        exits 1 on any mismatch; the last line is "N passed, N failed"
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { WASI } from 'node:wasi';

const [modulePath] = process.argv.slice(2);
if (!modulePath) {
  console.error('usage: node run_golden.mjs gate.wasm');
  process.exit(2);
}
const wasi = new WASI({ version: 'preview1' });
const module = await WebAssembly.compile(readFileSync(modulePath));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
wasi.initialize(instance);
const { memory, fl_alloc, fl_free, fl_call, fl_reply } = instance.exports;

function call(op, fields) {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...fields, op }));
  const at = fl_alloc(bytes.length);
  new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
  const length = fl_call(at, bytes.length);
  fl_free(at);
  const reply = new Uint8Array(memory.buffer, fl_reply(), length);
  return JSON.parse(new TextDecoder().decode(reply));
}

const golden = (room, file) =>
  JSON.parse(readFileSync(new URL(`../../${room}/golden/${file}`, import.meta.url), 'utf8'));

let passed = 0;
let failed = 0;
function expect(name, got, want) {
  if (isDeepStrictEqual(got, want)) {
    passed += 1;
  } else {
    failed += 1;
    console.error(`FAILED ${name}\n  got  ${JSON.stringify(got)}\n  want ${JSON.stringify(want)}`);
  }
}

function frameOf(test) {
  if (test.hex !== undefined) return { hex: test.hex };
  if (test.repeat === undefined) return { frame: test.json };
  const { before, unit, times, after } = test.repeat;
  return { frame: before + unit.repeat(times) + after };
}

for (const [file, op] of [
  ['client.json', 'decode_client'],
  ['server.json', 'decode_server'],
]) {
  for (const test of golden('proto', file).cases) {
    const reply = call(op, frameOf(test));
    expect(`${file}: ${test.name}`, reply.code, 0);
    if (test.unknown !== undefined) expect(`${file}: ${test.name}`, reply.unknown, test.unknown);
    else expect(`${file}: ${test.name}`, reply.canonical, test.canonical ?? test.json);
  }
}
for (const [file, op] of [
  ['client_invalid.json', 'decode_client'],
  ['server_invalid.json', 'decode_server'],
]) {
  for (const test of golden('proto', file).cases) {
    expect(`${file}: ${test.name}`, call(op, frameOf(test)).code, test.code);
  }
}
for (const test of golden('proto', 'events.json').cases) {
  expect(`events.json: ${test.name}`, call('decode_client', frameOf(test)).codes, test.codes);
}
for (const test of golden('proto', 'commands.json').cases) {
  expect(`commands.json: ${test.name}`, call('check', test).code, test.code);
}
for (const test of golden('proto', 'traceparent.json').cases) {
  expect(`traceparent.json: ${test.name}`, call('traceparent', test).valid, test.valid);
}

const tokens = golden('gate', 'tokens.json');
expect('tokens.json: keys', call('keys', { keys: tokens.keys }).code, 0);
for (const test of tokens.cases) {
  const reply = call('token', { token: test.token, now_s: test.now_s ?? tokens.now_s });
  const want = test.code ? { code: test.code } : { code: 0, claims: test.claims };
  expect(
    `tokens.json: ${test.name}`,
    { code: reply.code, ...(reply.claims && { claims: reply.claims }) },
    want,
  );
}
for (const test of tokens.refresh) {
  expect(
    `tokens.json: ${test.name}`,
    call('refresh', { ...test, now_s: tokens.now_s }).code,
    test.code,
  );
}
for (const test of tokens.pseudonyms) {
  expect(`tokens.json: ${test.name}`, call('pseudonym', test).who, test.who);
}
for (const test of golden('gate', 'prefixes.json').cases) {
  const { code, bits, v6, loopback } = call('prefix', test);
  const got = code ? { ip: test.ip, code } : { ip: test.ip, bits, v6, loopback };
  expect(`prefixes.json: ${test.ip}`, got, test);
}
for (const sequence of golden('gate', 'admission.json').cases) {
  call('admission', { seed: 1, limits: sequence.limits });
  sequence.steps.forEach((step, n) => {
    const name = `admission.json: ${sequence.name}, step ${n}`;
    if (step.pressure !== undefined) {
      expect(name, call('pressure', { level: step.pressure }).code, 0);
      return;
    }
    const { code, retry_after_ms: retry, cut } = call('step', step);
    const [low, high] = step.retry_between ?? [step.retry_after_ms, step.retry_after_ms];
    expect(name, { code, fits: retry >= low && retry <= high }, { code: step.code, fits: true });
    if (step.cut !== undefined) expect(`${name}, cut`, cut, step.cut);
  });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
