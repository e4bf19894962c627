// node delay_program.mjs [SECONDS]: the program stream as viewers have it, measured in Chromium with hls.js, as one
// JSON object for ./dev bench hls. Four of the cast are on WebRTC: a page whose camera is a clock, and three
// synthetic people; the compositor makes its ladder of them as it does by default.
//   shown   from the camera to the screen of the audience page
//   cue     a poll opens: its cue and the first picture that has it, in the stream, in a player and on the page
//   cut     a viewer of the call loses UDP: until the program is on its screen; its votes meanwhile
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, output_folder } from './lib/browser.mjs';
import { bundled } from './lib/bundle.mjs';
import { until } from './lib/harness.mjs';
import { ports } from './lib/ports.mjs';
import { RealNode, footlight_bin } from './lib/real_node.mjs';
import { UdpCable } from './lib/udp_cable.mjs';

const kEpisode = fileURLToPath(new URL('program.episode.yaml', import.meta.url));
const kSettleMs = 15_000;
const seconds = Number(process.argv[2] ?? 40);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const script = (name) => readFile(new URL(`lib/${name}`, import.meta.url), 'utf8');
const [media_page, clock_page, watch_page] = await Promise.all(
  ['media_page.mjs', 'clock_page.mjs', 'watch_page.mjs'].map(script),
);
const say = (text) => console.error(text);

const cable = await UdpCable.lay(ports.program_cable, ports.program);
const settings = ['program.enabled=true', `media.advertise=127.0.0.1:${ports.program_cable}`];
const node = await RealNode.start(
  ports.program,
  kEpisode,
  'show',
  settings.flatMap((one) => ['--set', one]),
);
const browser = await launch([
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
]);
let cast;

const fragment_token = (link) => new URLSearchParams(new URL(link).hash.slice(1)).get('token');
const producer = fragment_token(await node.link('stage', 'pia', 'producer', 'pia'));
async function command(kind, args) {
  const answer = await fetch(`${node.address}/v1/episodes/show/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${producer}`, 'content-type': 'application/json' },
    body: JSON.stringify({ k: kind, a: args }),
  });
  if (!answer.ok) throw new Error(`${kind}: ${await answer.text()}`);
}
/** "Viewer 1" has no call, "Viewer 3" may watch it. */
async function link(name) {
  const log = `${output_folder}node-${ports.program}.log`;
  return until(async () => {
    const lines = (await readFile(log, 'utf8')).split('\n');
    const line = lines.findLast((one) => one.includes(name) && one.includes('/audience/'));
    return /http\S+/.exec(line ?? '')?.[0];
  }, `the link of ${name}`);
}
async function open(url, ...scripts) {
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.goto(url);
  for (const each of scripts) await page.evaluate(`{${each}}`);
  return page;
}
const mode_of = (page) => page.evaluate(() => document.querySelector('.watch')?.dataset.mode ?? '');

async function begin() {
  await command('episode.start', {});
  const camera = await open(`${node.address}/healthz`, media_page, clock_page);
  const token = fragment_token(await node.link('stage', 'gale', 'gm', 'gale'));
  await camera.evaluate(async (it) => {
    await window.clock.camera();
    return window.media.publish('/v1/whip/show', it);
  }, token);
  const load = `load media --url ${node.address} --episode-id show --dev --publishers 3 --subscribers 0 --seconds 900`;
  cast = spawn(footlight_bin, load.split(' '), { stdio: 'ignore' });
}

async function measure_shown(page) {
  await until(async () => (await mode_of(page)) === 'llhls', 'the program', 60_000);
  await page.evaluate(() => window.clock.read(document.querySelector('.screen > video'), false));
  await wait(kSettleMs);
  await page.evaluate(() => window.clock.begin());
  await wait(1_000 * seconds);
  return (await page.evaluate(() => window.clock.result())).picture;
}

/** On the audience page: when the card of the poll is there, and when the picture has it. */
async function measure_page(page) {
  await page.evaluate(() =>
    window.watched.begin(document.querySelector('.screen > video'), 'Which door'),
  );
  await wait(1_000);
  await command('poll.open', { poll: 'fork' });
  const { card_ms, picture_ms } = await page.evaluate(() => window.watched.both());
  say(`the card ${Math.round(card_ms - picture_ms)} ms after the picture`);
  return Math.abs(card_ms - picture_ms);
}

/** With hls.js alone: the cue's place in the media time and the moment the player tells it. */
async function measure_cue() {
  await command('poll.close', { poll: 'fork' }); // its result is shown for 8 s
  const page = await open(`${node.address}/healthz`, watch_page);
  await page.addScriptTag({ content: await bundled('hls_page.mjs') });
  await page.evaluate(
    (from) => window.play(from, { liveSyncOnStallIncrease: 0.3 }),
    `${node.address}/v1/program/show/index.m3u8`,
  );
  await until(() => page.evaluate(() => window.video.currentTime > 3), 'hls.js to play', 60_000);
  await wait(15_000);
  await page.evaluate(() => window.watched.begin(window.video, null, 'again'));
  await wait(1_000);
  await command('poll.open', { poll: 'again' });
  const seen = await page.evaluate(() => window.watched.cue());
  await page.context().close();
  return seen;
}

async function measure_cut() {
  const others = cable.peers();
  const page = await open(await link('Viewer 3'), watch_page);
  await until(async () => (await mode_of(page)) === 'rtc', 'the call', 60_000);
  await page.locator('article.poll', { hasText: 'Once more' }).waitFor({ timeout: 20_000 });
  await until(
    () => page.evaluate(() => document.querySelector('.tiles video')?.currentTime > 3),
    'its pictures',
    30_000,
  );
  cable.pull_but(others);
  const cut_ms = Date.now();
  const votes = page.evaluate(() => window.watched.votes('Once more', ['Yes', 'No'], 16, 250));
  const shown_ms = await page.evaluate(() => window.watched.first_frame('.screen > video'));
  const took_ms = await votes;
  const last = took_ms.length % 2 === 1 ? 0 : 1;
  await wait(500);
  const answer = await fetch(`${node.address}/v1/episodes/show/polls`, {
    headers: { authorization: `Bearer ${producer}` },
  });
  const counts = (await answer.json()).tallies.again.counts;
  return {
    picture_ms: Math.round(shown_ms - cut_ms),
    votes: took_ms.length,
    slowest_ms: Math.round(Math.max(...took_ms)),
    lost: 16 - took_ms.length + (counts[last] === 1 && counts[1 - last] === 0 ? 0 : 1),
  };
}

try {
  await begin();
  const page = await open(await link('Viewer 1'), clock_page, watch_page);
  const shown = await measure_shown(page);
  say(`shown ${JSON.stringify(shown)}`);
  const page_ms = await measure_page(page);
  await page.context().close();
  const cue = { ...(await measure_cue()), page_ms: Math.round(page_ms) };
  say(`cue ${JSON.stringify(cue)}`);
  const cut = await measure_cut();
  console.log(JSON.stringify({ shown, cue, cut }));
} finally {
  cast?.kill('SIGTERM');
  await browser.close();
  await node.remove();
  cable.remove();
}
