// The program on the audience page: composed of a real call, played by hls.js from the node's own origin; its
// polls in step with the picture; what happens when the compositor dies, when the producer falls back, and when
// a viewer's UDP is cut.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, open_page, output_folder } from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { PlaylistFollower } from '../lib/follow_playlist.mjs';
import { ports } from '../lib/ports.mjs';
import { child_of } from '../lib/processes.mjs';
import { RealNode, footlight_bin } from '../lib/real_node.mjs';
import { StaleCache } from '../lib/stale_cache.mjs';
import { UdpCable } from '../lib/udp_cable.mjs';
import { Elsewhere, gst_publishes } from '../lib/whip_gst.mjs';

const kEpisode = fileURLToPath(new URL('../program.episode.yaml', import.meta.url));
const kFlags = [
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];
/** Small, so that a compositor, a browser and a test fit two cores. */
const kSettings = ['program.rungs=640x360@700,426x240@300', 'program.preset=ultrafast'];
const [media_page, clock_page] = await Promise.all(
  ['media_page.mjs', 'clock_page.mjs'].map((name) =>
    readFile(new URL(`../lib/${name}`, import.meta.url), 'utf8'),
  ),
);
const test = (name, run) => timed(name, run, { timeout_ms: 180_000 });

let node;
let browser;
let cable;
let cast;
let viewer;
let console_page;
group('program', {
  async before() {
    browser = await launch(kFlags);
    cable = await UdpCable.lay(ports.program_cable, ports.program);
    const settings = [
      'program.enabled=true',
      `media.advertise=127.0.0.1:${ports.program_cable}`,
      ...kSettings,
    ];
    node = await RealNode.start(
      ports.program,
      kEpisode,
      'show',
      settings.flatMap((one) => ['--set', one]),
    );
    console_page = await open_page(browser, await node.link('console', 'pia', 'producer', 'pia'));
    await command('episode.start', {});
    // Two of the cast, who send a prepared voice and picture. They take the cable too.
    cast = spawn(
      footlight_bin,
      `load media --url ${node.address} --episode-id show --dev --publishers 2 --subscribers 0 --seconds 900`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    );
    viewer = await open_page(browser, await link('Viewer 1'), { allow: /404/ });
  },
  async after() {
    cast?.kill('SIGTERM');
    await browser?.close();
    await node?.remove();
    cable?.remove();
  },
});

/** One of the links that the node prints: "Viewer 1" has no call, "Viewer 3" may watch it. */
async function link(name) {
  const log = `${output_folder}node-${ports.program}.log`;
  return until(async () => {
    const lines = (await readFile(log, 'utf8')).split('\n');
    const line = lines.findLast((one) => one.includes(name) && one.includes('/audience/'));
    return /http\S+/.exec(line ?? '')?.[0];
  }, `the link of ${name}`);
}
async function producer() {
  const made = await node.link('stage', 'pia', 'producer', 'pia');
  return new URLSearchParams(new URL(made).hash.slice(1)).get('token');
}
async function command(kind, args) {
  const answer = await fetch(`${node.address}/v1/episodes/show/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await producer()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ k: kind, a: args }),
  });
  equal(answer.status, 200, `${kind}: ${await answer.text()}`);
}
async function poll_of(id) {
  const answer = await fetch(`${node.address}/v1/episodes/show/polls`, {
    headers: { authorization: `Bearer ${await producer()}` },
  });
  return (await answer.json()).polls[id];
}
/** How the page watches and what it shows. */
const watched = (page) =>
  page.evaluate(() => {
    const frame = document.querySelector('.watch');
    const video = frame?.querySelector('.screen > video');
    return {
      mode: frame?.dataset.mode ?? '',
      at_s: video && !video.hidden ? video.currentTime : -1,
      frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
      width: video?.videoWidth ?? 0,
    };
  });
async function plays(page, what, timeout_ms = 60_000) {
  const before = await watched(page);
  return until(
    async () => {
      const now = await watched(page);
      return now.mode.endsWith('hls') && now.frames > before.frames + 5 && now;
    },
    what,
    timeout_ms,
    200,
  );
}
async function votes(page, poll, option) {
  const card = page.locator('article.poll', { hasText: poll });
  await card.getByRole('button', { name: option }).click();
  const began = performance.now();
  await until(
    async () =>
      (await card.getByRole('button', { name: option }).getAttribute('aria-pressed')) === 'true' &&
      (await card.getByText('Your vote is confirmed').count()) > 0,
    'the vote to be confirmed',
    20_000,
    20,
  );
  return performance.now() - began;
}

test('a viewer without a call sees the program', async () => {
  const now = await plays(viewer, 'the program');
  equal(now.mode, 'llhls', 'mode');
  assert(now.width >= 426, `a picture ${now.width} wide`);
  await until(
    async () => /\d\.\d s behind/.test(await viewer.locator('.watch').innerText()),
    'the delay on the page',
  );
});

test('a console that was open before has a preview, of the smallest size', async () => {
  const preview = console_page.getByLabel('The program', { exact: true });
  await until(
    async () => (await preview.evaluate((video) => video.currentTime)) > 1,
    'the preview to play',
    30_000,
  );
  equal(await preview.evaluate((video) => video.videoWidth), 426, 'width');
  equal(console_page.faults, [], 'faults');
  await console_page.context().close();
});

test('a poll opens for a viewer with its picture, and is open so much longer', async () => {
  const title = 'Do they ring it?';
  await command('poll.open', { poll: 'quick' });
  await viewer.locator('article.poll', { hasText: title }).waitFor({ timeout: 20_000 });
  const shown_ms = Date.now();
  const [, behind_s] = /(\d+\.\d) s behind/.exec(await viewer.locator('.watch').innerText());
  const { opened_ms } = await poll_of('quick');
  // The page looks four times a second and says tenths.
  assert(
    shown_ms - 1000 * behind_s > opened_ms - 400,
    `shown ${shown_ms - opened_ms} ms after its opening, ${behind_s} s behind`,
  );
  // Between the server's deadline and this viewer's.
  await until(async () => (await poll_of('quick')).state === 'closing', 'the deadline', 20_000, 20);
  await votes(viewer, title, 'Yes');
  const result = await until(
    async () => (await poll_of('quick')).result,
    'the result',
    20_000,
    200,
  );
  equal([result.voters, result.late], [1, 1], 'voters, of them by the allowance');
});

// A frame is of the moment it is dated with, whatever was lost before: each part is there a little after the date at
// its end, and never before.
test('a compositor that stands still for one second and for nearly five costs pictures and no time', async () => {
  await plays(viewer, 'the program');
  const index = `${node.address}/v1/program/show/index.m3u8`;
  const list = await (await fetch(index)).text();
  const lists = [...list.matchAll(/^\S+\/v\d+\.m3u8$|\S+\/audio\.m3u8(?=")/gm)].map(([one]) => one);
  equal(lists.length, 3, `lists in ${list}`);
  const followers = lists.map((one) => new PlaylistFollower(new URL(one.split('"').at(-1), index)));
  // How late the parts are that came after the first `from`, at the least: the most is the machine's.
  const late_ms = ({ parts }, from) =>
    Math.min(...parts.slice(from).map(({ end_ms, seen_ms }) => seen_ms - end_ms));
  const counts = () => followers.map(({ parts }) => parts.length);
  await until(() => counts().every((count) => count >= 12), '12 parts', 30_000);
  const before_ms = followers.map((one) => late_ms(one, 0));
  const pid = await child_of(node.process.pid, 'footlight-media');
  for (const still_ms of [1_000, 4_500]) {
    process.kill(pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, still_ms));
    process.kill(pid, 'SIGCONT');
    const from = counts();
    await plays(viewer, `the picture after ${still_ms} ms`);
    for (const [i, one] of followers.entries()) {
      await until(
        () => late_ms(one, from[i]) <= before_ms[i] + 34,
        () => `dates as before; ${before_ms[i]} ms before, now ${late_ms(one, from[i])} ms behind`,
        30_000,
      );
      assert(late_ms(one, 0) >= 0, `a part is there ${-late_ms(one, 0)} ms before its end`);
    }
  }
  // The viewer is where it was before: live.
  await until(
    async () =>
      Number(/(\d+\.\d) s behind/.exec(await viewer.locator('.watch').innerText())?.[1]) < 3,
    'the viewer to be live again',
    15_000,
  );
  equal((await status_of()).starts, 1, 'starts of the compositor');
  for (const follower of followers) {
    await follower.stop();
    equal(follower.faults, [], 'what did not hold over the reloads');
    equal(follower.breaks, 0, 'breaks');
    assert(follower.reloads > 20 && follower.read > 4, `${follower.reloads}, ${follower.read}`);
  }
});

test('killing the compositor leaves voting untouched, and the picture comes back', async () => {
  await command('poll.open', { poll: 'fork' });
  await viewer.locator('article.poll', { hasText: 'Which door' }).waitFor({ timeout: 20_000 });
  const pid = await child_of(node.process.pid, 'footlight-media');
  process.kill(pid, 'SIGKILL');
  const took_ms = await votes(viewer, 'Which door', 'The left door');
  assert(took_ms < 2000, `the vote took ${Math.round(took_ms)} ms`);
  await until(
    async () => {
      const now = await status_of();
      return now.state === 'running' && now.starts >= 2 && now.parts > 4;
    },
    'the compositor to run again',
    30_000,
    200,
  );
  await plays(viewer, 'the picture after the break');
});

// What cannot be made good: the stream goes on after a break, with dates of its own. A viewer has its picture again soon
// after each, though the breaks follow one another before it has been calm.
test('a compositor that is silent, and a machine that stood still, cost a new run and no viewer', async () => {
  await plays(viewer, 'the program');
  const index = `${node.address}/v1/program/show/index.m3u8`;
  const [name] = /^\S+\/v360\.m3u8$/m.exec(await (await fetch(index)).text());
  const follower = new PlaylistFollower(new URL(name, index));
  const { starts } = await status_of();
  const compositor = () => child_of(node.process.pid, 'footlight-media');
  const begins_anew = async (code, times) => {
    const now = await until(
      async () => {
        const it = await status_of();
        return it.state === 'running' && it.starts === starts + times && it;
      },
      `run ${times} after the break`,
      30_000,
      200,
    );
    equal(now.last_end.code, code, `why: ${now.last_end.message}`);
    await until(() => follower.breaks === times, 'EXT-X-DISCONTINUITY', 20_000);
    await plays(viewer, `the picture after ${code}`, 20_000);
  };
  // The node, which runs, ends it after five seconds.
  const silent = async () => process.kill(await compositor(), 'SIGSTOP');
  // Node and compositor are stopped, as by a container's pause: more than ten seconds end the run.
  const still = async () => {
    const pid = await compositor();
    process.kill(node.process.pid, 'SIGSTOP');
    process.kill(pid, 'SIGSTOP');
    try {
      await new Promise((resolve) => setTimeout(resolve, 11_500));
      process.kill(pid, 'SIGCONT');
      const over = async () => /\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'));
      await until(over, 'the compositor to end by itself');
    } finally {
      process.kill(node.process.pid, 'SIGCONT');
    }
  };
  for (const [i, [code, breaks]] of [
    [4814, silent],
    [4813, still],
    [4814, silent],
  ].entries()) {
    await breaks();
    await begins_anew(code, i + 1);
  }
  await follower.stop();
  equal(follower.faults, [], 'what did not hold over the reloads');
});

test('the producer switches media off and on; votes go on', async () => {
  await command('media.mode', { mode: 'votes' });
  await until(async () => (await watched(viewer)).mode === 'none', 'no media');
  await votes(viewer, 'Which door', 'The right door');
  await command('media.mode', { mode: 'full' });
  await plays(viewer, 'the program again');
});

test('a cache that answers with old playlists holds up the picture, says so, and holds up no vote', async () => {
  const title = 'Is the wax fresh?';
  const playlists = /\/v1\/program\/.*\.m3u8/;
  const cache = new StaleCache();
  await viewer.route(playlists, (route) => cache.answer(route));
  try {
    await command('poll.open', { poll: 'wax' });
    await viewer.locator('article.poll', { hasText: title }).waitFor({ timeout: 20_000 });
    await plays(viewer, 'the program by the cache');
    // A delta that is answered again and again is the worst: hls.js finds something new in it each time.
    await until(() => cache.has_delta, 'a delta', 60_000);
    cache.stale = true;
    await viewer.getByText('Waiting for the picture').waitFor({ timeout: 20_000 });
    const took_ms = await votes(viewer, title, 'Yes');
    assert(took_ms < 2000, `the vote took ${Math.round(took_ms)} ms`);
    await until(async () => (await watched(viewer)).mode === 'hls', 'whole segments', 30_000);
    await viewer.getByText(/The stream stood still|The picture kept stopping/).waitFor();
    // An answer that comes at once where one was to be waited for must not be asked for again and again.
    const asked = cache.asked;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    assert(cache.asked - asked <= 15, `${cache.asked - asked} requests in five seconds`);
    cache.stale = false;
    await plays(viewer, 'the program afterwards');
  } finally {
    await viewer.unroute(playlists);
  }
  await until(async () => (await watched(viewer)).mode === 'llhls', 'parts again', 90_000, 500);
});

test('a viewer of the call whose UDP is cut sees the program within seconds, votes, and comes back', async () => {
  const page = await open_page(browser, await link('Viewer 3'), { allow: /404/ });
  await until(async () => (await watched(page)).mode === 'rtc', 'the call', 30_000);
  await page.getByText('you are live').waitFor();
  equal(await page.getByRole('slider').count(), 0, 'bars');
  const tile = page.locator('.tiles video').first();
  await tile.waitFor();
  await until(async () => (await tile.evaluate((video) => video.currentTime)) > 1, 'its pictures');
  // What is said over the call is shown when it comes.
  await command('caption.say', { text: 'Hush.', lang: 'en' });
  await page.getByRole('button', { name: 'CC, captions' }).click();
  await command('caption.say', { text: 'Do you hear the bell?', lang: 'en', for_ms: 8000 });
  await page.getByTestId('captions').getByText('Do you hear the bell?').waitFor({ timeout: 8_000 });
  cable.pull();
  const began = performance.now();
  const now = await plays(page, 'the program after the cut', 30_000);
  const took_ms = performance.now() - began;
  console.log(`        cut to picture: ${Math.round(took_ms)} ms, by ${now.mode}`);
  await votes(page, 'Which door', 'The left door');
  cable.plug();
  await until(async () => (await watched(page)).mode === 'rtc', 'the call again', 120_000, 500);
  await page.context().close();
});

test('a finished program by WHIP is shown whole, by whatever codec it comes', async () => {
  const sender = await (await browser.newContext({ bypassCSP: true })).newPage();
  await sender.goto(`${node.address}/healthz`);
  for (const script of [media_page, clock_page]) await sender.evaluate(`{${script}}`);
  await sender.evaluate(() => window.clock.camera());
  await viewer.evaluate(`{${clock_page}}`);
  await viewer.evaluate(() => window.clock.read(document.querySelector('.screen > video'), false));
  const token = await producer();
  for (const codec of ['VP8', 'H264', 'VP9', 'AV1']) {
    const has = await sender.evaluate(
      (it) =>
        RTCRtpSender.getCapabilities('video').codecs.some((one) => one.mimeType === `video/${it}`),
      codec,
    );
    if (!has) {
      console.log(`skipped: a finished program in ${codec}, which this browser cannot send`);
      continue;
    }
    const published_ms = Date.now();
    const { status } = await sender.evaluate(
      ([it, of]) => window.media.publish('/v1/whip/show?label=program', it, false, of),
      [token, codec],
    );
    equal(status, 201, `publishing ${codec}`);
    await until(
      async () => {
        const now = await status_of();
        const shown = now.encoder?.inputs.some(({ state }) => /live|late/.test(state));
        return now.layout === 'single' && shown;
      },
      `the program in ${codec}`,
      30_000,
      200,
    );
    // The clock in the camera is read from the viewer's picture, the whole of it.
    await until(
      async () => (await viewer.evaluate(() => window.clock.picture.taken_ms)) > published_ms + 500,
      `the picture of ${codec} on the viewer's screen`,
      60_000,
      200,
    );
    equal(await sender.evaluate(() => window.media.end('publish')), 200, 'the end');
    await until(async () => (await status_of()).layout === 'table', 'the table again', 20_000, 200);
  }
  await sender.context().close();
});

test('a finished program that GStreamer sends by WHIP is shown whole', async () => {
  let elsewhere;
  try {
    elsewhere = await Elsewhere.make(ports.program_elsewhere, ports.program);
  } catch (error) {
    console.log(`skipped: GStreamer by WHIP, as there is no network of its own: ${error.message}`);
    return;
  }
  try {
    for (const codec of ['VP8', 'H264', 'VP9']) {
      const url = `${node.address}/v1/whip/show?label=program`;
      const sender = await gst_publishes(elsewhere, url, await producer(), codec);
      if (typeof sender === 'string') {
        console.log(`skipped: GStreamer by WHIP in ${codec}: ${sender}`);
        continue;
      }
      await until(
        async () => (await viewer.evaluate(bars)) === kBars,
        `the bars in ${codec} on the viewer's screen`,
        60_000,
        200,
      );
      await sender.end();
      await until(
        async () =>
          (await viewer.evaluate(bars)) !== kBars && (await status_of()).layout === 'table',
        'the table again',
        60_000,
        200,
      );
    }
  } finally {
    await elsewhere.remove();
  }
});
/** GStreamer's test picture, whole: white, yellow, cyan, green, magenta, red, blue. */
const kBars = '111 110 011 010 101 100 001';
/** In the viewer's page: which of red, green and blue there are in each seventh of the picture. */
function bars() {
  const video = document.querySelector('.screen > video');
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 70, height: 40 });
  const ink = canvas.getContext('2d');
  ink.drawImage(video, 0, 0, 70, 40);
  const colour_at = (x) =>
    [...ink.getImageData(x, 12, 1, 1).data.slice(0, 3)].map((one) => (one > 96 ? 1 : 0)).join('');
  return [0, 1, 2, 3, 4, 5, 6].map((i) => colour_at(10 * i + 5)).join(' ');
}

test('a producer makes a person quieter from the console, and it stays so', async () => {
  const page = await open_page(browser, await node.link('console', 'pia', 'producer', 'pia'), {
    allow: /404/,
  });
  const slider = page.locator('.voices input').first();
  await slider.waitFor({ timeout: 30_000 });
  await slider.focus();
  for (let i = 0; i < 10; ++i) await page.keyboard.press('ArrowLeft');
  const gains = async () => (await status_of()).encoder.inputs.map((one) => one.gain_permille);
  await until(async () => (await gains()).includes(500), 'half as loud', 20_000, 200);
  await command_of_program('restart');
  await until(
    async () => {
      const { state, encoder } = await status_of();
      return state === 'running' && encoder?.inputs.some((one) => one.gain_permille === 500);
    },
    'the same after a new start of the compositor',
    30_000,
    200,
  );
  await page.context().close();
});

async function status_of() {
  const answer = await fetch(`${node.address}/v1/episodes/show/program`, {
    headers: { authorization: `Bearer ${await producer()}` },
  });
  return answer.json();
}
async function command_of_program(what) {
  const answer = await fetch(`${node.address}/v1/episodes/show/program/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await producer()}` },
  });
  equal(answer.status, 200, what);
}
