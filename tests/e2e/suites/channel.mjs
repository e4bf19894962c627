// The session of the cast over a data channel of their call, in a real browser on the real node: votes,
// rolls and edits go over it, and over WebSocket when it is gone. Prints what either way takes.
import { fileURLToPath } from 'node:url';
import { launch, open_page } from '../lib/browser.mjs';
import { bundled } from '../lib/bundle.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { IndependentPeer, load_stack } from '../lib/independent_peer.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode } from '../lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = ['--allow-loopback-in-peer-connection'];

let node;
let browser;
let page;
group('channel', {
  async before() {
    browser = await launch(kFlags);
    node = await RealNode.start(ports.channel, kEpisode, 'show');
    page = await open_page(browser, `${node.address}/healthz`, { allow: /404/ });
    await page.evaluate(await bundled('channel_page.mjs'));
  },
  async after() {
    await browser?.close();
    await node?.remove();
  },
});

async function join(name, role, channel = true) {
  const link = await node.link('stage', name, role, name);
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  await page.evaluate(([a, b, c]) => window.join(a, b, c), [name, token, channel]);
}
const call = (what, ...args) => page.evaluate(([name, it]) => window[name](...it), [what, args]);
const on = (name, transport, timeout_ms = 15_000) =>
  until(
    async () => (await call('transport', name)) === transport,
    `${name} on ${transport}`,
    timeout_ms,
  );

test('the cast move to the channel by themselves, viewers stay where they are', async () => {
  await join('gale', 'producer');
  await join('ann', 'player');
  await join('bo', 'player', false);
  await join('vera', 'viewer');
  await Promise.all([on('gale', 'channel'), on('ann', 'channel'), on('vera', 'websocket')]);
  equal(await call('transport', 'bo'), 'websocket', 'who does not want it');
  await until(async () => {
    const metrics = await (await fetch(`${node.address}/metrics`)).text();
    return /footlight_media_channels 2\n/.test(metrics);
  }, 'both to be counted');
});

test('a vote, rolls and an edit of a board go over it and are confirmed', async () => {
  await call('start', 'gale');
  await call('open_poll', 'gale', 'fork');
  await call('vote', 'ann', 'fork', 1);
  equal((await call('rolls', 'ann', 3)).length, 3, 'rolls');
  for (const name of ['gale', 'ann']) await call('open_board', name);
  await call('put', 'ann', 'hello', 'by channel');
  await until(async () => (await call('got', 'gale', 'hello')) === 'by channel', 'the edit');
  await until(async () => (await call('pending', 'ann')) === 0, 'it to be durable');
  await until(async () => (await call('tally', 'gale', 'fork'))?.[1] === 1, 'the tally');
  equal(await call('transport', 'ann'), 'channel', 'still');
});

test('rolls over either way in one run are measured', async () => {
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)].toFixed(1);
  // In turns, so that what the machine does otherwise meets both.
  const took = { ann: [], bo: [] };
  for (let turn = 0; turn < 4; ++turn) {
    for (const name of ['ann', 'bo']) took[name].push(...(await call('rolls', name, 4)));
  }
  equal(await call('transport', 'ann'), 'channel', 'ann');
  equal(await call('transport', 'bo'), 'websocket', 'bo');
  console.log(
    `measured: roll → confirmed, median of ${took.ann.length}: ${median(took.ann)} ms by channel, ${median(took.bo)} ms by WebSocket`,
  );
});

test('the channel is cut in the middle of it all, and nothing is lost or counted twice', async () => {
  const before = await call('rolls_seen', 'gale');
  const rolling = call('rolls', 'ann', 6);
  await call('put', 'ann', 'cut', 'while it is cut');
  await call('cut_channels');
  equal((await rolling).length, 6, 'all are confirmed');
  await Promise.all([on('ann', 'websocket'), on('gale', 'websocket')]);
  await until(async () => (await call('got', 'gale', 'cut')) === 'while it is cut', 'the edit');
  await until(
    async () => (await call('rolls_seen', 'gale')).told === before.told + 6,
    'the rolls',
    15_000,
  );
  const seen = await call('rolls_seen', 'gale');
  equal(seen.distinct, before.distinct + 6, 'each once');
  await call('vote', 'ann', 'fork', 0);
  await until(
    async () => JSON.stringify(await call('tally', 'gale', 'fork')) === '[1,0]',
    'the vote',
  );
  assert(!(await call('states', 'ann')).includes('waiting'), 'there was no pause');
});

test('the end of the call moves the session back, too', async () => {
  await join('cy', 'player');
  await on('cy', 'channel');
  await call('end_watching', 'cy');
  await on('cy', 'websocket', 3000);
  await call('rolls', 'cy', 1);
});

const stack = await load_stack();
if (!stack) {
  console.log('skipped: libdatachannel over the channel, as there is no node-datachannel');
} else {
  test('libdatachannel carries a session over it, too: rolls, boards, and garbage ends it', async () => {
    const link = await node.link('stage', 'dee', 'player', 'Dee');
    const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
    const peer = await IndependentPeer.join(stack, node.address, token);
    await until(() => peer.by_socket.all.at(-1).code === 4902, 'the session to have moved');
    for (let i = 1; i <= 5; ++i) await peer.roll(i);
    const binary = peer.by_channel.of('binary');
    peer.send({ t: 'board.open', b: 'table' });
    equal((await binary).bytes.subarray(0, 7).toString(), '\x01\x05table', 'a board frame');
    const bye = peer.by_channel.of('bye');
    peer.channel.sendMessage('{');
    equal((await bye).code, 4000, 'garbage');
    await peer.closed;
    peer.close();
    stack.cleanup?.();
  });
}

test('the page had no fault', () => equal(page.faults, [], 'faults'));
