// What a board costs a server: the relay of an edit to a thousand, and eight who drag a token at 60 Hz
// while five hundred look on.
//
//   node tests/crdt/boards_bench.mjs PROGRAM [CLIENTS] [SECONDS]
//
// Prints one JSON line: relay_p50_ms, relay_p99_ms, drag_cpu_percent (of one core), drag_rss_growth_kb (from after the first
// compaction to the end), and what was sent. Traffic stays on the loopback.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import * as Y from 'yjs';

const program = process.argv[2] ?? 'build/release/src/cli/footlight';
const audience = Number(process.argv[3] ?? 1000);
const seconds = Number(process.argv[4] ?? 20);
const home = mkdtempSync(join(tmpdir(), 'footlight-boards-bench-'));
const file = join(home, 'bench.episode.yaml');
writeFileSync(file, 'footlight: 1\ntitle: Bench\nboards:\n  table: {title: Table}\n');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const found = probe.address().port;
    probe.close(() => resolve(found));
  });
});
const config = join(home, 'bench.yaml');
writeFileSync(config, 'limits:\n  join.voter: unlimited\n');
const server = spawn(
  program,
  ['serve', '--dev', '--quiet', '--port', String(port), '--threads', '1', '--episode', file].concat(
    ['--data', join(home, 'data'), '--set', 'limits.join.voter=unlimited'],
  ),
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
process.on('exit', () => server.kill('SIGKILL'));
for (;;) {
  try {
    if ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok) break;
  } catch {
    // not yet
  }
  await sleep(20);
}
function token(sub, role) {
  const args = ['token', '--dev', '--episode-id', 'bench', '--sub', sub, '--role', role];
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}
function open(ticket, onMessage) {
  return new Promise((resolve, reject) => {
    const url = `ws://127.0.0.1:${port}/v1/yjs/bench/table?token=${ticket}`;
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.binaryType = 'nodebuffer';
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
    socket.on('close', (code) => code < 4000 || console.error('closed', code));
    if (onMessage) socket.on('message', onMessage);
  });
}
function updateMessage(update) {
  const out = [0, 2];
  let size = update.length;
  while (size > 127) {
    out.push((size & 127) | 128);
    size >>>= 7;
  }
  out.push(size);
  return Buffer.concat([Buffer.from(out), Buffer.from(update)]);
}
function cpuMs() {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
function rssKb() {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]);
}

// Everyone here is of the cast: the audience's tick is a choice, not a cost.
const latencies = [];
let sentAt = 0;
const watch = (data) => {
  if (data[0] === 0 && data[1] === 2 && sentAt > 0) latencies.push(performance.now() - sentAt);
};
const ticket = token('crowd', 'gm');
const sockets = [];
for (let i = 0; i < audience; i++) sockets.push(await open(ticket, watch));
// As a y-websocket client renews its awareness: who is silent for 45 s is closed.
setInterval(() => {
  for (const socket of sockets) socket.send(Buffer.from([3]));
}, 15_000);
const author = new Y.Doc();
const writer = await open(token('writer', 'gm'));
author.on('update', (update) => writer.send(updateMessage(update)));
await sleep(500);
let expected = 0;
for (let i = 0; i < 30; i++) {
  sentAt = performance.now();
  author.getText('notes').insert(0, 'x');
  expected += audience;
  for (let wait = 0; wait < 400 && latencies.length < expected; wait++) await sleep(5);
}
sentAt = 0;
latencies.sort((a, b) => a - b);
const at = (q) => Number((latencies[Math.floor(latencies.length * q)] ?? -1).toFixed(1));

// The drag: the crowd leaves, and half as many of the audience come.
for (const socket of sockets.splice(0)) socket.terminate();
const seat = token('seat', 'viewer');
let seen = 0;
const count = (data) => {
  if (data[0] === 0 && data[1] === 2) seen++;
};
for (let i = 0; i < audience / 2; i++) sockets.push(await open(seat, count));
const draggers = [];
for (let i = 0; i < 8; i++) {
  const doc = new Y.Doc();
  const socket = await open(token(`drag-${i}`, 'player'));
  doc.on('update', (update) => socket.send(updateMessage(update)));
  draggers.push({ tokens: doc.getMap(`token-${i}`), sent: 0 });
}
await sleep(1_000); // what is sent before the board is open may be asked for again
let step = 0;
const timer = setInterval(() => {
  step++;
  for (const each of draggers) each.tokens.set('at', [step, step * 2]);
}, 1000 / 60);
await sleep(6_000); // past the first compaction
seen = 0;
const cpu = cpuMs();
const rss = rssKb();
const begun = performance.now();
await sleep(seconds * 1000);
const took = performance.now() - begun;
const cpuPercent = ((cpuMs() - cpu) / took) * 100;
const growth = rssKb() - rss;
clearInterval(timer);
const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const metric = (name) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? -1);
console.log(
  JSON.stringify({
    clients: audience,
    relay_p50_ms: at(0.5),
    relay_p99_ms: at(0.99),
    relay_lost: expected - latencies.length,
    drag_cpu_percent: Number(cpuPercent.toFixed(1)),
    drag_rss_growth_kb: growth,
    drag_seen_per_s: Math.round(seen / sockets.length / (took / 1000)),
    drag_updates: metric('footlight_board_updates_total'),
    compactions: metric('footlight_board_compactions_total'),
    board_memory_bytes: metric('footlight_board_memory_bytes'),
  }),
);
server.kill('SIGKILL');
rmSync(home, { recursive: true });
process.exit(0);
