// node tools/clips/make.mjs [OUT]: draws and encodes the synthetic people of load, rehearsals and the demo, with the
// encoders of Debian's Chromium (WebCodecs: VP8 in three sizes, Opus). Its results stand in src/ops/clips; neither
// building nor testing needs it. Another release of the encoders gives other bytes, and people who look the same.
//
// The format is read by src/ops/clip.cc. Numbers are big-endian.
//   "FLCLIP1\n", u8 layers, u8 frames a second, u16 frames, u16 voice packets of 20 ms
//   a layer:        u16 width, u16 height, then its frames: u8 is a key frame, u24 bytes, a VP8 frame
//   a voice packet: u8 level (RFC 6464: voice bit, minus dBov), u16 bytes, an Opus packet
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const out = process.argv[2] ?? fileURLToPath(new URL('../../src/ops/clips/', import.meta.url));
const people = ['owl', 'knight', 'robot', 'fox'];
const page_script = await readFile(new URL('./people.mjs', import.meta.url), 'utf8');

// Encoders are given to secure pages alone: one of this machine is.
const server = createServer((request, response) => {
  const script = request.url === '/people.mjs';
  response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
  response.end(script ? page_script : '<!doctype html><title>clips</title>');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await mkdir(out, { recursive: true });
  for (const [index, name] of people.entries()) {
    const text = await page.evaluate(
      async ([who, number]) => (await import('/people.mjs')).make_clip(who, number),
      [name, index],
    );
    const bytes = Buffer.from(text, 'base64');
    await writeFile(join(out, `${name}.clip`), bytes);
    console.log(`${name}: ${bytes.length} bytes`);
  }
} finally {
  await browser.close();
  server.close();
}
