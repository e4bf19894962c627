// A real call is recorded and exported: a page publishes a picture that flashes when its voice beeps, and in the
// exported file flash and beep must still be together. What other programs make of the file is what counts: ffprobe and
// ffmpeg read it.
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch, open_page } from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight_bin } from '../lib/real_node.mjs';

const run = promisify(execFile);
const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = [
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];
const kMs = 8000;
const kMostApartMs = 50;

/** A browser codes and programs decode, on few cores. */
const test = (name, run) => timed(name, run, { timeout_ms: 180_000 });

let node;
let browser;
group('recording', {
  async before() {
    browser = await launch(kFlags);
    node = await RealNode.start(ports.recording, kEpisode, 'show');
  },
  async after() {
    await browser?.close();
    await node?.remove();
  },
});

async function token_of(sub, role) {
  const link = await node.link('stage', sub, role, sub);
  return new URLSearchParams(new URL(link).hash.slice(1)).get('token');
}
async function api(method, where, body) {
  const answer = await fetch(`${node.address}/v1/episodes/show/${where}`, {
    method,
    headers: { authorization: `Bearer ${await token_of('pia', 'producer')}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, json: await answer.json() };
}

/** In the page: publishes a canvas that is white while an oscillator is heard, 100 ms of each second. */
async function publish_flashes(url, token, codec) {
  const codecs = RTCRtpSender.getCapabilities('video').codecs;
  const wanted = codecs.filter((it) => it.mimeType === `video/${codec}`);
  if (wanted.length === 0) return 'no encoder';
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 180;
  const paint = canvas.getContext('2d');
  const audio = new AudioContext({ latencyHint: 'interactive' });
  await audio.resume();
  const out = audio.createMediaStreamDestination();
  const gain = audio.createGain();
  gain.gain.value = 0;
  const tone = audio.createOscillator();
  tone.frequency.value = 880;
  tone.connect(gain).connect(out);
  tone.start();
  let lit = false;
  setInterval(() => {
    const now = performance.now() % 1000 < 100;
    if (now !== lit) {
      lit = now;
      gain.gain.setValueAtTime(now ? 0.5 : 0, audio.currentTime);
    }
    paint.fillStyle = lit ? '#fff' : '#000';
    paint.fillRect(0, 0, 320, 180);
    paint.fillStyle = '#808080'; // something moves, so that a frame is made
    paint.fillRect(performance.now() % 16, 0, 2, 2);
  }, 10);
  const stream = canvas.captureStream(30);
  stream.addTrack(out.stream.getAudioTracks()[0]);
  const peer = new RTCPeerConnection();
  for (const track of stream.getTracks()) {
    const line = peer.addTransceiver(track, { direction: 'sendonly' });
    if (track.kind !== 'video') continue;
    line.setCodecPreferences([...wanted, ...codecs.filter((it) => it.mimeType === 'video/rtx')]);
  }
  await peer.setLocalDescription();
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: peer.localDescription.sdp,
  });
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  window.peer = peer;
  return answer.status;
}

/** When the picture turns bright, and when the voice is heard, in ms. */
async function flashes_of(file) {
  const { stdout } = await run('ffmpeg', [
    ...[
      '-v',
      'error',
      '-i',
      file,
      '-map',
      '0:v',
      '-vf',
      'signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-',
    ],
    ...['-f', 'null', '-'],
  ]);
  const out = [];
  let at = 0;
  let bright = true; // what is lit at the beginning began before
  for (const line of stdout.split('\n')) {
    at = Number(line.match(/pts_time:([\d.]+)/)?.[1] ?? at);
    const level = line.match(/YAVG=([\d.]+)/)?.[1];
    if (level === undefined) continue;
    if (Number(level) > 120 && !bright) out.push(at * 1000);
    bright = Number(level) > 120;
  }
  return out;
}
async function beeps_of(file) {
  const { stderr } = await run('ffmpeg', [
    ...[
      '-v',
      'info',
      '-i',
      file,
      '-map',
      '0:a',
      '-af',
      'silencedetect=noise=-30dB:d=0.3',
      '-f',
      'null',
      '-',
    ],
  ]);
  return [...stderr.matchAll(/silence_end: ([\d.]+)/g)].map((it) => Number(it[1]) * 1000);
}
async function probe(file) {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-count_frames', '-show_streams', '-show_format', '-of', 'json', file],
  ]);
  return JSON.parse(stdout);
}

let page;
let folder;

test('a call is recorded from start to stop, and figures and metrics tell', async () => {
  page = await open_page(browser, `${node.address}/healthz`);
  const token = await token_of('gale', 'gm');
  equal(
    await page.evaluate(`(${publish_flashes})('/v1/whip/show', '${token}', 'VP8')`),
    201,
    'publishing',
  );
  await until(async () => page.evaluate('window.peer.connectionState === "connected"'), 'media');
  equal((await api('GET', 'recording')).json, { recording: false }, 'before');
  const begun = await api('POST', 'recording', { on: true });
  equal([begun.status, begun.json.recording, begun.json.files], [200, true, 2], 'the start');
  equal((await api('POST', 'recording', { on: 1 })).status, 400, 'what cannot be read');
  await until(async () => Date.now() - begun.json.began_ms > kMs, 'some seconds of it', kMs + 5000);
  const figures = (await api('GET', 'media')).json;
  equal(figures.sessions[0].tracks.map((it) => it.codec).sort(), ['opus', 'vp8'], 'tracks');
  assert(
    figures.sessions[0].tracks.every((it) => it.encodings[0].recorded),
    'all are recorded',
  );
  assert(figures.sessions[0].bps_in > 20_000, `${figures.sessions[0].bps_in} bit/s`);
  const ended = (await api('POST', 'recording', { on: false })).json;
  equal([ended.recording, ended.dropped, ended.error], [false, 0, undefined], 'the end');
  folder = path.join(node.data, ended.folder);
  await until(async () => {
    const sizes = await Promise.all(
      (await readdir(folder)).map(async (it) => (await stat(path.join(folder, it))).size),
    );
    return sizes.length === 2 && sizes.reduce((a, b) => a + b) === ended.bytes;
  }, 'all of it on the disk');
  const metrics = await (await fetch(`${node.address}/metrics`)).text();
  assert(/^footlight_media_recorded_bytes_total \d{5,}$/m.test(metrics), 'metrics count');
  await page.evaluate('window.peer.close()');
});

test('what is exported is decoded whole, and flash and beep are together', async () => {
  for (const suffix of ['webm', 'mkv']) {
    const file = path.join(folder, `all.${suffix}`);
    await run(footlight_bin, ['export', '--media', folder, '--out', file]);
    const { streams, format } = await probe(file);
    const [video, audio] = ['video', 'audio'].map((kind) =>
      streams.find((it) => it.codec_type === kind),
    );
    equal([video.codec_name, audio.codec_name], ['vp8', 'opus'], 'codecs');
    equal([video.width, video.height], [320, 180], 'size');
    assert(Math.abs(format.duration * 1000 - kMs) < 1500, `${format.duration} s`);
    const frames = Number(video.nb_read_frames);
    assert(frames > (kMs / 1000) * 15, `${frames} frames were decoded`);
    assert(Number(audio.nb_read_frames) > kMs / 20 - 75, `${audio.nb_read_frames} of the voice`);
  }
  const no_form = await run(footlight_bin, [
    ...['export', '--media', folder, '--out', path.join(folder, 'all.mp4')],
  ]).then(
    () => '',
    (error) => error.stderr,
  );
  assert(no_form.includes('4775') && no_form.includes('take .mkv'), `VP8 in MP4: ${no_form}`);
  const file = path.join(folder, 'all.webm');
  const [flashes, beeps] = [await flashes_of(file), await beeps_of(file)];
  const apart = flashes.flatMap((flash) => {
    const near = beeps.map((beep) => flash - beep).sort((a, b) => Math.abs(a) - Math.abs(b));
    return near.length > 0 && Math.abs(near[0]) < 400 ? [near[0]] : [];
  });
  assert(apart.length >= 5, `${flashes.length} flashes, ${beeps.length} beeps`);
  apart.sort((a, b) => a - b);
  const median = apart[Math.floor(apart.length / 2)];
  console.log(`        flash after beep: ${apart.map((it) => it.toFixed(0)).join(' ')} ms`);
  assert(Math.abs(median) <= kMostApartMs, `flash and beep are ${median} ms apart`);
});

test('each publisher has a file, and an episode names its last recording', async () => {
  await run(footlight_bin, ['export', '--media', path.join(node.data, 'show.episode')]);
  const made = (await readdir(folder)).filter((it) => it.startsWith('01-'));
  equal(made, ['01-gale.webm'], 'a file of the publisher');
  const missing = await run(footlight_bin, [
    'export',
    '--media',
    path.join(node.data, 'none'),
  ]).then(
    () => '',
    (error) => `${error.code} ${error.stderr}`,
  );
  assert(missing.startsWith('3 ') && missing.includes('4774'), missing);
});

for (const codec of ['VP9', 'AV1', 'H264']) {
  test(`${codec} is exported and decoded whole`, async () => {
    const of = await open_page(browser, `${node.address}/healthz`);
    const token = await token_of('gale', 'gm');
    const published = await of.evaluate(
      `(${publish_flashes})('/v1/whip/show', '${token}', '${codec}')`,
    );
    if (published === 'no encoder') return console.log(`skipped: this browser encodes no ${codec}`);
    equal(published, 201, 'publishing');
    await until(async () => of.evaluate('window.peer.connectionState === "connected"'), 'media');
    await api('POST', 'recording', { on: true });
    const recorded = async () => (await api('GET', 'media')).json.sessions[0].tracks;
    await until(
      async () => (await recorded()).every((it) => it.encodings[0].packets > 90),
      'packets of both',
      30_000,
    );
    const ended = (await api('POST', 'recording', { on: false })).json;
    await of.evaluate('window.peer.close()');
    for (const suffix of ['mkv', 'mp4']) {
      const file = path.join(node.data, ended.folder, `all.${suffix}`);
      await run(footlight_bin, [
        'export',
        '--media',
        path.join(node.data, ended.folder),
        '--out',
        file,
      ]);
      const { streams } = await probe(file);
      const video = streams.find((it) => it.codec_type === 'video');
      equal([video.codec_name, video.width, video.height], [codec.toLowerCase(), 320, 180], suffix);
      assert(Number(video.nb_read_frames) > 30, `${video.nb_read_frames} frames were decoded`);
      await run('ffmpeg', ['-v', 'error', '-xerror', '-i', file, '-f', 'null', '-']);
    }
  });
}

test('the console switches it and shows its light, and the people of the call see that they are recorded', async () => {
  const desk = await open_page(browser, await node.link('console', 'pia', 'producer', 'Pia'));
  const stage = await open_page(browser, await node.link('stage', 'ann', 'player', 'Ann'));
  const light = (of) => of.getByRole('status').filter({ hasText: /^\s*Recording\s*$/ });
  await stage.getByRole('heading', { name: 'At the table' }).waitFor({ timeout: 30_000 });
  equal(await light(stage).count(), 0, 'nothing is recorded');
  await desk.getByRole('button', { name: 'Record the call' }).click();
  await light(desk).waitFor({ timeout: 10_000 });
  await light(stage).waitFor({ timeout: 10_000 });
  const late = await open_page(browser, await node.link('stage', 'bo', 'player', 'Bo'));
  await light(late).waitFor({ timeout: 30_000 });
  await desk.getByRole('button', { name: 'Stop recording' }).click();
  await light(stage).waitFor({ state: 'detached', timeout: 10_000 });
  await light(late).waitFor({ state: 'detached', timeout: 10_000 });
  await desk.getByText('Not recording').waitFor({ timeout: 10_000 });
  for (const it of [desk, stage, late]) equal(it.faults, [], 'no page complains');
});

test('a node that goes down lets nobody in, lets the call go on for a while, and ends its recording whole', async () => {
  const of = await open_page(browser, `${node.address}/healthz`);
  const token = await token_of('gale', 'gm');
  equal(await of.evaluate(`(${publish_flashes})('/v1/whip/show', '${token}', 'VP8')`), 201, 'in');
  const begun = (await api('POST', 'recording', { on: true })).json;
  await until(async () => (await api('GET', 'recording')).json.packets > 60, 'packets', 30_000);
  const at = performance.now();
  const down = node.down();
  const refused = await until(async () => {
    const answer = await fetch(`${node.address}/v1/whip/show`, { method: 'POST' });
    return answer.status === 503 && answer;
  }, 'to be refused');
  equal(refused.headers.get('retry-after'), '2', 'when to come again');
  equal(await of.evaluate('window.peer.connectionState'), 'connected', 'the call meanwhile');
  equal(await down, 0, 'exit code');
  const took = performance.now() - at;
  assert(took > 4500 && took < 20_000, `it took ${took} ms`);
  const { stdout } = await run(path.join(path.dirname(footlight_bin), 'footlight-media'), [
    ...['list', path.join(node.data, begun.folder)],
  ]);
  assert(stdout.includes('vp8') && !stdout.includes('not ended'), stdout);
});
