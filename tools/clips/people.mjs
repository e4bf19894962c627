// In the page: who the synthetic people are, how they look, how they sound, and their encoding.

const kSeconds = 8;
const kFps = 25;
const kRate = 48_000;
const kVoiceMs = 20;
const kKeyEvery = kFps; // a viewer who comes waits for a second at most
const kLayers = [
  { width: 160, height: 90, bitrate: 45_000 },
  { width: 320, height: 180, bitrate: 90_000 },
  { width: 640, height: 360, bitrate: 170_000 },
];

/** When each speaks, seconds: one after another, with a word thrown in here and there. */
const kTurns = [
  [
    [0.1, 1.9],
    [5.1, 5.5],
  ],
  [
    [2.1, 3.8],
    [7.2, 7.5],
  ],
  [
    [4.0, 5.8],
    [1.2, 1.5],
  ],
  [
    [6.0, 7.7],
    [3.0, 3.4],
  ],
];
const kPitch = [105, 130, 165, 215];
const kColours = [
  { back: '#1d2a44', skin: '#b98b4e', dark: '#3a2714', light: '#f4e9d2', token: '#f2c14e' },
  { back: '#3b1f2b', skin: '#9fb3c8', dark: '#1f2a36', light: '#eef3f8', token: '#e4572e' },
  { back: '#123a33', skin: '#7ed0b2', dark: '#0b2420', light: '#effff9', token: '#5bc0eb' },
  { back: '#40300f', skin: '#e07a2f', dark: '#4a1f08', light: '#fff4e6', token: '#c3e88d' },
];

// --- voice

/** A pulse train through three resonances that wander from vowel to vowel; silence outside the turns. */
function voice_of(number) {
  const samples = new Float32Array(kSeconds * kRate);
  const vowels = [
    [700, 1150, 2500],
    [350, 2100, 2800],
    [450, 850, 2400],
    [550, 1750, 2500],
    [320, 950, 2300],
  ];
  let seed = 7 + number * 101;
  const random = () => ((seed = (seed * 16807) % 2147483647) & 0xffff) / 0x10000;
  for (const [from, to] of kTurns[number]) {
    let phase = 0;
    let state = [0, 0, 0, 0, 0, 0];
    let vowel = 0,
      next_at = from,
      open = 0,
      syllable_from = from,
      syllable_to = from;
    for (let i = Math.round(from * kRate); i < to * kRate; ++i) {
      const t = i / kRate;
      if (t >= next_at) {
        vowel = Math.floor(random() * vowels.length);
        const length = 0.13 + random() * 0.12;
        syllable_from = t;
        syllable_to = t + length * 0.85;
        next_at = t + length + (random() < 0.12 ? 0.12 : 0);
      }
      const along = (t - syllable_from) / (syllable_to - syllable_from);
      open = along < 1 ? Math.sin(Math.PI * Math.min(1, along)) ** 0.7 : 0;
      const fall = 1 - 0.18 * ((t - from) / (to - from));
      const pitch =
        kPitch[number] * fall * (1 + 0.03 * Math.sin(t * 31) + 0.06 * Math.sin(t * 5.1));
      phase = (phase + pitch / kRate) % 1;
      const pulse = phase < 0.6 ? Math.sin((Math.PI * phase) / 0.6) ** 2 - 0.3 : -0.3;
      let sum = 0;
      vowels[vowel].forEach((frequency, k) => {
        const r = Math.exp((-Math.PI * (70 + 50 * k)) / kRate);
        const y =
          pulse * (1 - r) +
          2 * r * Math.cos((2 * Math.PI * frequency) / kRate) * state[2 * k] -
          r * r * state[2 * k + 1];
        state[2 * k + 1] = state[2 * k];
        state[2 * k] = y;
        sum += y / (1 + k * 0.9);
      });
      samples[i] = sum * open;
    }
  }
  const loudest = samples.reduce((most, it) => Math.max(most, Math.abs(it)), 0);
  return samples.map((it) => (it / loudest) * 0.45);
}

/** Root mean square of what lies around a moment, 0..1. */
function loudness(samples, at_s, span_s) {
  const from = Math.max(0, Math.round((at_s - span_s / 2) * kRate));
  const to = Math.min(samples.length, from + Math.round(span_s * kRate));
  let sum = 0;
  for (let i = from; i < to; ++i) sum += samples[i] * samples[i];
  return Math.sqrt(sum / Math.max(1, to - from));
}

// --- picture

function ellipse(pen, x, y, w, h, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.ellipse(x, y, w, h, 0, 0, 7);
  pen.fill();
}
function shape(pen, colour, ...points) {
  pen.fillStyle = colour;
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.fill();
}

const kHeads = [
  (pen, c) => {
    shape(pen, c.dark, [-92, -70], [-60, -128], [-30, -84]);
    shape(pen, c.dark, [92, -70], [60, -128], [30, -84]);
    ellipse(pen, 0, 0, 100, 106, c.skin);
    ellipse(pen, -40, -22, 40, 42, c.light);
    ellipse(pen, 40, -22, 40, 42, c.light);
  },
  (pen, c) => {
    shape(pen, c.dark, [-8, -150], [40, -176], [52, -120], [8, -108]);
    shape(pen, c.skin, [-90, -96], [0, -122], [90, -96], [84, 56], [0, 118], [-84, 56]);
    shape(pen, c.dark, [-74, -46], [74, -46], [66, 4], [-66, 4]);
  },
  (pen, c) => {
    pen.fillStyle = c.dark;
    pen.fillRect(-4, -150, 8, 44);
    ellipse(pen, 0, -154, 13, 13, c.token);
    pen.fillStyle = c.skin;
    pen.fillRect(-98, -106, 196, 206);
    pen.fillStyle = c.dark;
    pen.fillRect(-80, -62, 160, 64);
  },
  (pen, c) => {
    shape(
      pen,
      c.skin,
      [-104, -136],
      [-34, -92],
      [34, -92],
      [104, -136],
      [96, 6],
      [0, 116],
      [-96, 6],
    );
    shape(pen, c.light, [-92, 12], [-30, 10], [0, 52], [30, 10], [92, 12], [0, 116]);
  },
];
const kEyeBack = [null, null, null, 'light'];

function draw(pen, number, t, mouth) {
  const c = kColours[number];
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = c.back;
  pen.fillRect(0, 0, 640, 360);
  // Shoulders stay, the head sways, and something goes round it: that it moves is seen at a glance.
  ellipse(pen, 320, 384, 190, 96, c.dark);
  const turn = (2 * Math.PI * t) / kSeconds;
  const orbit = [320 + 236 * Math.cos(2 * turn), 178 + 118 * Math.sin(2 * turn)];
  pen.translate(320 + 22 * Math.sin(3 * turn + number), 190 + 7 * Math.sin(6 * turn) - 10 * mouth);
  pen.rotate(0.07 * Math.sin(2 * turn + number * 1.7));
  kHeads[number](pen, c);
  const blinks = (t + number * 0.7) % 2.6 < 0.16;
  const look = 9 * Math.sin(4 * turn + number);
  for (const side of [-1, 1]) {
    if (kEyeBack[number]) ellipse(pen, side * 40, -24, 22, blinks ? 3 : 20, c[kEyeBack[number]]);
    const pupil = number === 1 || number === 2 ? c.token : c.dark;
    ellipse(pen, side * 40 + look, -24, 12, blinks ? 2 : 14, pupil);
  }
  const width = number === 2 ? 56 : 34;
  ellipse(pen, 0, number === 3 ? 74 : 52, width - 8 * mouth, 4 + 30 * mouth, c.dark);
  if (mouth > 0.25)
    ellipse(pen, 0, (number === 3 ? 74 : 52) + 12 * mouth, width * 0.5, 10 * mouth, c.token);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  ellipse(pen, ...orbit, 20, 20, c.token);
}

// --- encoding

class Bytes {
  parts = [];
  u(size, value) {
    for (let i = size - 1; i >= 0; --i) this.parts.push((value >>> (8 * i)) & 0xff);
  }
  add(bytes) {
    for (const byte of bytes) this.parts.push(byte);
  }
}
const bytes_of = (chunk) => {
  const bytes = new Uint8Array(chunk.byteLength);
  chunk.copyTo(bytes);
  return bytes;
};

async function encode_layer(layer, number, mouths) {
  const chunks = [];
  let fault = null;
  const encoder = new VideoEncoder({
    output: (chunk) => chunks.push(chunk),
    error: (e) => (fault = e),
  });
  const { width, height, bitrate } = layer;
  encoder.configure({
    codec: 'vp8',
    width,
    height,
    bitrate,
    framerate: kFps,
    latencyMode: 'quality',
  });
  const large = new OffscreenCanvas(640, 360);
  const small = new OffscreenCanvas(width, height);
  const pen = large.getContext('2d');
  const scaled = small.getContext('2d');
  scaled.imageSmoothingQuality = 'high';
  for (let i = 0; i < kSeconds * kFps; ++i) {
    draw(pen, number, i / kFps, mouths[i]);
    scaled.drawImage(large, 0, 0, width, height);
    const frame = new VideoFrame(small, { timestamp: (i * 1e6) / kFps, duration: 1e6 / kFps });
    encoder.encode(frame, { keyFrame: i % kKeyEvery === 0 });
    frame.close();
    if (encoder.encodeQueueSize > 8) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await encoder.flush();
  if (fault || chunks.length !== kSeconds * kFps)
    throw new Error(`${chunks.length} frames: ${fault}`);
  return chunks;
}

async function encode_voice(samples) {
  const chunks = [];
  let fault = null;
  const encoder = new AudioEncoder({
    output: (chunk) => chunks.push(chunk),
    error: (e) => (fault = e),
  });
  encoder.configure({
    codec: 'opus',
    sampleRate: kRate,
    numberOfChannels: 1,
    bitrate: 24_000,
    opus: { frameDuration: kVoiceMs * 1000, application: 'voip', complexity: 9 },
  });
  const span = (kRate * kVoiceMs) / 1000;
  for (let at = 0; at < samples.length; at += span) {
    const data = samples.slice(at, at + span);
    encoder.encode(
      new AudioData({
        format: 'f32-planar',
        sampleRate: kRate,
        numberOfFrames: span,
        numberOfChannels: 1,
        timestamp: (at * 1e6) / kRate,
        data,
      }),
    );
  }
  await encoder.flush();
  const count = samples.length / span;
  if (fault || chunks.length < count) throw new Error(`${chunks.length} packets: ${fault}`);
  return chunks.slice(0, count);
}

/** A whole clip, as base64. */
export async function make_clip(name, number) {
  const samples = voice_of(number);
  const frames = kSeconds * kFps;
  const mouths = Array.from({ length: frames }, (_, i) =>
    Math.min(1, loudness(samples, i / kFps, 0.05) * 7),
  );
  const out = new Bytes();
  out.add(new TextEncoder().encode('FLCLIP1\n'));
  const voice = await encode_voice(samples);
  out.u(1, kLayers.length);
  out.u(1, kFps);
  out.u(2, frames);
  out.u(2, voice.length);
  for (const layer of kLayers) {
    out.u(2, layer.width);
    out.u(2, layer.height);
    for (const chunk of await encode_layer(layer, number, mouths)) {
      out.u(1, chunk.type === 'key' ? 1 : 0);
      out.u(3, chunk.byteLength);
      out.add(bytes_of(chunk));
    }
  }
  voice.forEach((chunk, i) => {
    const rms = loudness(samples, ((i + 0.5) * kVoiceMs) / 1000, kVoiceMs / 1000);
    const level = rms > 0 ? Math.min(127, Math.round(-20 * Math.log10(rms))) : 127;
    out.u(1, (level < 50 ? 0x80 : 0) | level);
    out.u(2, chunk.byteLength);
    out.add(bytes_of(chunk));
  });
  let text = '';
  for (const byte of out.parts) text += String.fromCharCode(byte);
  return btoa(text);
}
