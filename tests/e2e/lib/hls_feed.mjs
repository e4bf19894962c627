// A node whose program is fed in real time from a clip made by ffmpeg: tests/scenarios/hls_feed.cc.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './harness.mjs';
import { footlight_bin } from './real_node.mjs';

export const run = promisify(execFile);
const feed_bin = join(dirname(footlight_bin), '../../tests/scenarios/hls_feed');
export const has_feed = () => existsSync(feed_bin);

const kFragments =
  '-f mp4 -movflags empty_moov+default_base_moof+cmaf+skip_trailer -frag_duration 533333';
const kVideo =
  '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 64 -keyint_min 64 -sc_threshold 0 -bf 0 -video_track_timescale 15360';

/** Three renditions, cut at the same places: 16 frames or 25 of AAC a part, four parts a segment. */
export async function make_clips(folder, seconds) {
  const ffmpeg = (inputs, codecs, name) =>
    run(
      'ffmpeg',
      `-v error -y -f lavfi -i ${inputs} -t ${seconds} ${codecs} ${kFragments} ${join(folder, name)}`.split(
        ' ',
      ),
    );
  await ffmpeg('testsrc=size=640x360:rate=30', `${kVideo} -b:v 800k`, 'v360.mp4');
  await ffmpeg('testsrc=size=426x240:rate=30', `${kVideo} -b:v 400k`, 'v240.mp4');
  await ffmpeg('sine=frequency=440:sample_rate=48000', '-c:a aac -b:a 96k', 'a.mp4');
}

export class HlsFeed {
  /** `settings`: more of the command line, by name. */
  static async start(port, clip_seconds, settings = {}, env = {}) {
    const feed = new HlsFeed();
    feed.folder = await mkdtemp(join(tmpdir(), 'footlight-hls-'));
    await make_clips(feed.folder, clip_seconds);
    feed.port = port;
    feed.settings = settings;
    feed.env = env;
    feed.address = `http://127.0.0.1:${port}`;
    feed.program = `${feed.address}/v1/program/show`;
    feed.said = '';
    await feed.up();
    // The first segments have to be made; a player that asks before is told that there is nothing.
    await until(async () => JSON.parse(await feed.get('status.json')).there, 'the program', 20_000);
    return feed;
  }
  /** Starts the process, the second time perhaps with other settings. */
  async up(settings = this.settings) {
    const more = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    this.process = spawn(feed_bin, [String(this.port), this.folder, ...more], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...this.env },
    });
    let began = '';
    await new Promise((resolve, reject) => {
      this.process.once('exit', (code) => reject(new Error(`hls_feed ended with ${code}`)));
      this.process.stdout.on('data', (text) => {
        this.said += text;
        began += text;
        if (began.includes('ready')) resolve();
      });
    });
  }
  async down() {
    if (this.process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.stdin.end();
    await ended;
  }
  say(line) {
    this.process.stdin.write(`${line}\n`);
  }
  /** What the origin refused so far. */
  refused() {
    return this.said.split('\n').filter((line) => line.startsWith('refused'));
  }
  async get(path) {
    const answer = await fetch(`${this.program}/${path}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.text();
  }
  async remove() {
    await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }
}
