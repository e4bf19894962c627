// A recording on a disk that is really full (ENOSPC): a small tmpfs where the recordings of an episode go. Needs root.
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch, open_page } from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight_bin } from '../lib/real_node.mjs';

const run = promisify(execFile);
const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kDiskBytes = 1 << 20; // what four publishers send in some six seconds
const kLoadSeconds = 20;

const test = (name, run) => timed(name, run, { timeout_ms: 180_000 });

let node;
let disk = null;
group('disk', {
  async before() {
    node = await RealNode.start(ports.disk, kEpisode, 'show', [
      '--set',
      'media.record_keep_free_bytes=0',
    ]);
    const folder = path.join(node.data, 'show.media');
    await mkdir(folder);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kDiskBytes}`, 'none', folder], {
        stdio: 'ignore',
      });
      disk = folder;
    } catch {
      disk = null;
    }
  },
  async after() {
    if (node.process.exitCode === null) await node.kill();
    if (disk) execFileSync('umount', [disk]);
    await node.remove();
  },
});

test('a full disk ends the recording with its number, the console says so, the call goes on, and what was written is exported', async () => {
  if (!disk)
    return console.log(
      'skipped: a recording on a full disk, as no file system may be mounted here',
    );
  const link = await node.link('console', 'pia', 'producer', 'Pia');
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  const recording = async (body) => {
    const answer = await fetch(`${node.address}/v1/episodes/show/recording`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    return answer.json();
  };
  const crowd = ['--publishers', '4', '--subscribers', '2', '--seconds', String(kLoadSeconds)];
  const load = run(footlight_bin, [
    ...[
      'load',
      'media',
      '--url',
      node.address,
      '--episode-id',
      'show',
      '--dev',
      '--json',
      ...crowd,
    ],
  ]);
  const metrics = async () => (await fetch(`${node.address}/metrics`)).text();
  await until(
    async () => /^footlight_media_publishers 4$/m.test(await metrics()),
    'publishers',
    30_000,
  );
  const browser = await launch();
  try {
    const desk = await open_page(browser, link);
    equal((await recording({ on: true })).recording, true, 'begun');
    const ended = await until(
      async () => {
        const state = await recording();
        return !state.recording && state;
      },
      'the disk to be full',
      60_000,
    );
    equal(ended.error?.code, 4770, 'why it ended');
    await desk
      .getByRole('alert')
      .filter({ hasText: 'no room for the recording' })
      .waitFor({ timeout: 15_000 });
    const events = await stat(node.log_file());
    assert(events.size > 0, 'the event log is elsewhere and whole');
    const { stdout } = await load;
    const report = JSON.parse(stdout);
    equal([report.connected, report.lost_sessions], [6, 0], 'nobody lost the call');
    equal([report.voice.lost, report.video.freezes], [0, 0], 'nothing lost, nothing stood still');
    const take = path.join(node.data, ended.folder);
    const file = path.join(node.data, 'saved.mkv');
    await run(footlight_bin, ['export', '--media', take, '--out', file]);
    const probed = await run('ffprobe', [
      ...['-v', 'error', '-count_frames', '-show_streams', '-of', 'json', file],
    ]);
    const { streams } = JSON.parse(probed.stdout);
    equal(streams.length, 8, 'four voices and four pictures');
    for (const it of streams) {
      assert(Number(it.nb_read_frames) > 25, `${it.codec_name}: ${it.nb_read_frames} frames`);
    }
    await run('ffmpeg', ['-v', 'error', '-xerror', '-i', file, '-map', '0', '-f', 'null', '-']);
  } finally {
    await browser.close();
  }
});
