// The people at the table, on the real node: game master and players see and hear each other through the
// stage page. What is checked is what the browsers decoded and played.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { axe_findings, launch, open_page, overflow_px, shot } from '../lib/browser.mjs';
import { Cable } from '../lib/cable.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight_bin } from '../lib/real_node.mjs';
import { voice } from '../lib/voice.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--auto-select-desktop-capture-source=Entire screen',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

/** Four browsers code and decode at once. */
const test = (name, run) => timed(name, run, { timeout_ms: 180_000 });

let node;
let cable;
let browser;
const microphone = voice();
const people = {};
group('stage', {
  async before() {
    browser = await launch([...kFlags, microphone.flag]);
    node = await RealNode.start(ports.stage, kEpisode, 'show');
    cable = await Cable.lay(ports.stage_cable, ports.stage);
    people.gale = await open('gale', 'gm', 'Gale Marlowe');
    people.ann = await open('ann', 'player', 'Ann', { by_cable: true });
    people.bo = await open('bo', 'player', 'Bo Lindqvist');
  },
  async after() {
    await browser?.close();
    await cable?.remove?.();
    await node?.remove();
    microphone.remove();
  },
});

/** The stage page of somebody. `by_cable`: their session, not their media, goes over the cable. */
async function open(sub, role, name, { by_cable = false, ...options } = {}) {
  let link = await node.link('stage', sub, role, name);
  if (by_cable) link = link.replace(node.address, cable.address);
  const page = await open_page(browser, link, { ...options, script: keep_channels });
  await page.getByRole('heading', { name: 'At the table' }).waitFor({ timeout: 30_000 });
  await prepare(page);
  return page;
}
/** Runs in the page before its own scripts. */
function keep_channels() {
  window.channels = [];
  const make = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...args) {
    const channel = make.apply(this, args);
    window.channels.push(channel);
    return channel;
  };
}
/** As it is: the browser takes the even voice for noise and would silence it. And small: all encode on two cores. */
const prepare = (page) =>
  page.evaluate(() => {
    const devices = navigator.mediaDevices;
    const ask = devices.getUserMedia.bind(devices);
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const small = { width: 320, height: 180, frameRate: 15 };
    devices.getUserMedia = ({ audio, video }) =>
      ask({ audio: audio && { ...audio, ...plain }, video: video && { ...video, ...small } });
  });
async function join(page, how = 'Join with camera') {
  await page.getByRole('button', { name: how }).click();
  await page.getByRole('button', { name: 'Mute' }).waitFor({ timeout: 15_000 });
}
const tile = (page, name) => page.getByRole('listitem', { name: new RegExp(`^${name}`) });
const frames = (page, name) =>
  tile(page, name)
    .locator('video')
    .evaluate((video) => video.getVideoPlaybackQuality().totalVideoFrames)
    .catch(() => 0);
/** Until so many more frames of somebody were shown than now. */
async function sees(page, name, count = 15, timeout_ms = 30_000) {
  await tile(page, name).locator('video').waitFor({ timeout: timeout_ms });
  const before = await frames(page, name);
  await until(
    async () => (await frames(page, name)) >= before + count,
    `${count} frames of ${name}`,
    timeout_ms,
  );
}
/** The loudest sample of each voice that is played, by whose it is. */
const loudness = (page) =>
  page.evaluate(async () => {
    const context = (window.loudness ??= new AudioContext());
    const out = {};
    await Promise.all(
      [...document.querySelectorAll('audio')].map(async (audio) => {
        const analyser = context.createAnalyser();
        context.createMediaStreamSource(audio.srcObject).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        const end = performance.now() + 1500;
        while (performance.now() < end) {
          analyser.getFloatTimeDomainData(samples);
          const loudest = samples.reduce((most, it) => Math.max(most, Math.abs(it)), 0);
          out[audio.dataset.who] = Math.max(out[audio.dataset.who] ?? 0, loudest);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        if (audio.paused) out[audio.dataset.who] = 0;
      }),
    );
    return out;
  });
const who_of = (page, name) => tile(page, name).getAttribute('data-who');
async function hears(page, ...names) {
  const whos = await Promise.all(names.map((name) => who_of(page, name)));
  await until(
    async () => {
      const heard = await loudness(page);
      return whos.every((who) => heard[who] > 0.01);
    },
    `the voices of ${names.join(', ')}`,
    20_000,
  );
}

test('before anybody joins there are names, initials and a button, and nothing is asked for', async () => {
  const { gale } = people;
  await tile(gale, 'Ann').waitFor();
  equal(await tile(gale, 'Gale').locator('.initials').textContent(), 'GM', 'initials');
  assert((await tile(gale, 'Ann').getAttribute('aria-label')).includes('not in the call'), 'Ann');
  equal(await gale.locator('audio').count(), 0, 'voices');
  await shot(gale, 'stage-call-before');
});

test('a game master and two players see and hear each other', async () => {
  const { gale, ann, bo } = people;
  for (const page of [gale, ann, bo]) await join(page);
  await Promise.all([
    sees(gale, 'Ann'),
    sees(gale, 'Bo'),
    sees(ann, 'Gale'),
    sees(ann, 'Bo'),
    sees(bo, 'Gale'),
    sees(bo, 'Ann'),
  ]);
  await Promise.all([hears(gale, 'Ann', 'Bo'), hears(ann, 'Gale', 'Bo'), hears(bo, 'Gale', 'Ann')]);
  equal(await gale.getByRole('button', { name: 'Play sound' }).count(), 0, 'nothing is blocked');
  const large = await tile(ann, 'Gale').boundingBox();
  const small = await tile(ann, 'Bo').boundingBox();
  assert(large.width > 1.5 * small.width, 'the game master is large');
});

test('who speaks has a ring, and every line has bars and words', async () => {
  const { bo } = people;
  await until(async () => (await bo.locator('.tile.speaking').count()) > 0, 'a ring', 15_000);
  await tile(bo, 'Gale')
    .getByRole('img', { name: /Connection of Gale Marlowe: good, \d+ ms there and back/ })
    .waitFor({ timeout: 20_000 });
  await shot(bo, 'stage-call', { fullPage: false });
  equal(await axe_findings(bo), [], 'axe');
});

test('a microphone and a camera that are off are seen to be off', async () => {
  const { gale, ann } = people;
  await ann.getByRole('button', { name: 'Mute' }).click();
  await until(
    async () => (await tile(gale, 'Ann').getAttribute('aria-label')).includes('microphone off'),
    'the mark',
  );
  const who = await who_of(gale, 'Ann');
  await until(async () => ((await loudness(gale))[who] ?? 0) < 0.005, 'silence', 15_000);
  await ann.getByRole('button', { name: 'Camera off' }).click();
  await tile(gale, 'Ann').locator('.initials').waitFor();
  await ann.getByRole('button', { name: 'Camera on' }).click();
  await ann.getByRole('button', { name: 'Unmute' }).click();
  await sees(gale, 'Ann');
  await hears(gale, 'Ann');
});

test('who comes late sees and hears everybody, and is seen without having joined', async () => {
  people.vik = await open('vik', 'player', 'Vik', { width: 390, height: 800, scheme: 'light' });
  const { vik, gale } = people;
  await Promise.all(['Gale', 'Ann', 'Bo'].map((name) => sees(vik, name)));
  await hears(vik, 'Gale', 'Ann', 'Bo');
  await tile(gale, 'Vik').waitFor();
  equal(await overflow_px(vik), 0, 'sideways');
  await join(vik, 'Join with microphone only');
  await hears(gale, 'Vik');
  equal(await tile(gale, 'Vik').locator('.initials').textContent(), 'V', 'no camera: initials');
  await shot(vik, 'stage-call-phone');
  equal(await axe_findings(vik), [], 'axe');
  await vik.getByRole('button', { name: 'Camera on' }).click();
  await sees(gale, 'Vik');
});

test('who reloads hears and sees at once, joins again and is seen again', async () => {
  const { bo, gale } = people;
  await bo.reload();
  await prepare(bo);
  await Promise.all(['Gale', 'Ann', 'Vik'].map((name) => sees(bo, name)));
  await join(bo);
  await sees(gale, 'Bo');
  await hears(gale, 'Bo');
});

test('the session goes over the channel of the call, whatever becomes of the cable', async () => {
  const { ann, gale } = people;
  await until(
    async () => /data channel/.test(await ann.locator('.sheet').first().textContent()),
    'the session on the data channel',
    20_000,
  );
  cable.pull();
  await ann.getByRole('button', { name: 'Mute' }).click();
  await until(
    async () => (await tile(gale, 'Ann').getAttribute('aria-label')).includes('microphone off'),
    'the mute to be told',
  );
  await ann.getByRole('button', { name: 'Unmute' }).click();
  cable.plug();
});

test('the session is cut and media go on; then it goes on being told', async () => {
  const { ann, gale } = people;
  cable.pull();
  await ann.evaluate(() => window.channels.forEach((channel) => channel.close()));
  await ann
    .getByText(/Reconnecting|Offline|Connecting/i)
    .first()
    .waitFor({ timeout: 15_000 });
  await Promise.all([sees(ann, 'Gale', 60), sees(gale, 'Ann', 60)]);
  await hears(gale, 'Ann');
  cable.plug();
  await until(
    async () => (await ann.getByText(/Reconnecting|Offline|Connecting/i).count()) === 0,
    'the session to be back',
    40_000,
  );
  await ann.getByRole('button', { name: 'Mute' }).click();
  await until(
    async () => (await tile(gale, 'Ann').getAttribute('aria-label')).includes('microphone off'),
    'the mute to be told',
  );
  await sees(gale, 'Ann');
  await ann.getByRole('button', { name: 'Unmute' }).click();
});

test('a screen is shown to all beside the people', async () => {
  const { gale, bo } = people;
  await gale.getByRole('button', { name: 'Share screen' }).click();
  await bo.getByText('The screen of Gale Marlowe').waitFor({ timeout: 20_000 });
  await sees(bo, 'Gale');
  await shot(bo, 'stage-call-screen');
  await gale.getByRole('button', { name: 'Stop sharing' }).click();
  await bo.getByText('The screen of Gale Marlowe').waitFor({ state: 'detached' });
});

test('a ban ends all media of the person at once, and no other way leads in', async () => {
  const { gale, bo } = people;
  const who = await who_of(gale, 'Bo');
  const link = await node.link('console', 'pat', 'producer', 'Pat');
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  const banned = await fetch(`${node.address}/v1/episodes/show/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ k: 'mod.ban', a: { who } }),
  });
  equal(banned.status, 200, 'the ban');
  await until(async () => (await bo.locator('audio').count()) === 0, 'silence for the banned');
  await tile(gale, 'Bo').waitFor({ state: 'detached' });
  await sees(gale, 'Ann');
  const own = await node.link('stage', 'bo', 'player', 'Bo');
  const answer = await fetch(`${node.address}/v1/whip/show`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${new URLSearchParams(new URL(own).hash.slice(1)).get('token')}`,
      'content-type': 'application/sdp',
    },
    body: 'v=0',
  });
  equal([answer.status, (await answer.json()).code], [403, 4501], 'WHIP');
});

/** How much of a picture changes in a moment: of 255, the mean over its points. */
const movement = (page, name) =>
  tile(page, name)
    .locator('video')
    .evaluate(async (video) => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [64, 36];
      const pen = canvas.getContext('2d', { willReadFrequently: true });
      const look = () => {
        pen.drawImage(video, 0, 0, 64, 36);
        return pen.getImageData(0, 0, 64, 36).data;
      };
      const before = look();
      await new Promise((resolve) => setTimeout(resolve, 600));
      return look().reduce((sum, it, i) => sum + Math.abs(it - before[i]), 0) / before.length;
    });

test('a synthetic player is seen moving, and receives the cameras of the visitors', async () => {
  const { gale, ann } = people;
  for (const page of [gale, ann]) {
    if (await page.getByRole('button', { name: 'Join with camera' }).count()) await join(page);
  }
  // It measures until it is stopped, so that browsers may take their time.
  const options = '--dev --json --seconds 600 --publishers 1 --subscribers 1 --places 8';
  const where = ['--url', node.address, '--episode-id', 'show'];
  const load = spawn(footlight_bin, ['load', 'media', ...where, ...options.split(' ')]);
  let said = '';
  load.stdout.on('data', (text) => (said += text));
  const ended = new Promise((resolve) => load.once('close', resolve));
  try {
    await Promise.all([sees(gale, 'load-publisher-0'), sees(ann, 'load-publisher-0')]);
    assert((await movement(gale, 'load-publisher-0')) > 1, 'it moves');
    await hears(gale, 'load-publisher-0');
    await sees(gale, 'load-publisher-0', 125);
  } finally {
    load.kill('SIGINT');
  }
  equal(await ended, 0, 'exit code');
  const report = JSON.parse(said);
  equal([report.connected, report.lost_sessions], [2, 0], 'sessions');
  // Its own publisher's picture, and those of at least the game master and Ann.
  assert(report.pictures >= 3, `${report.pictures} pictures`);
  assert(report.video.frames > report.video.one_way_samples, 'pictures of the visitors');
  assert(report.voice.one_way_samples > 0, 'its own voice');
  assert(report.voice.packets > report.voice.one_way_samples, 'voices of the visitors');
  await tile(gale, 'load-publisher-0').waitFor({ state: 'detached' });
});

test('no page had a fault', async () => {
  for (const [name, page] of Object.entries(people)) {
    // The cable that was pulled is told of by the browser.
    const faults = page.faults.filter((it) => !/WebSocket|ERR_|Failed to load/.test(it));
    equal(faults, [], name);
  }
});
