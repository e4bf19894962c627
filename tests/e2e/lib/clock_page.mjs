// A script, not a module: pages run its text. A camera whose picture is the time it was taken at, a voice whose
// beeps tell when they were made, and who reads both again from what arrives.
//
// The picture: 32 square cells within a magenta frame, large enough to survive a small tile and a low bit rate. 20
// bits of wall time in milliseconds, 12 bits of check: a picture that is not read exactly is not counted.
// The voice: each quarter of a second of the wall clock a beep of 30 ms; four heights in turn, so that delays are
// told apart up to a second.
const kColumns = 8;
const kRows = 4;
const kCell = 40;
const kFrame = 20;
const kTurn_ms = 1 << 20;
const kBeep_ms = 250;
const kHeights_hz = [750, 1250, 1750, 2250];

const check_of = (value) => (Math.imul(value ^ 0x5bd1e, 0x9e3779b1) >>> 20) & 0xfff;

/** What is drawn is what is sent: one frame for each drawing, at most 30 a second. */
function clock_picture(width = 640, height = 360) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const ink = canvas.getContext('2d', { alpha: false });
  const left = (width - kColumns * kCell) / 2;
  const top = (height - kRows * kCell) / 2 - 20; // a name is written below
  const [track] = canvas.captureStream(0).getVideoTracks();
  let last_ms = 0;
  const draw = () => {
    requestAnimationFrame(draw);
    const now_ms = Date.now();
    if (now_ms - last_ms < 30) return;
    last_ms = now_ms;
    ink.fillStyle = `hsl(220 30% ${20 + (now_ms % 4000) / 400}%)`;
    ink.fillRect(0, 0, width, height);
    ink.fillStyle = '#ff00ff';
    ink.fillRect(
      left - kFrame,
      top - kFrame,
      kColumns * kCell + 2 * kFrame,
      kRows * kCell + 2 * kFrame,
    );
    const value = now_ms % kTurn_ms;
    const bits = value * 4096 + check_of(value);
    for (let i = 0; i < 32; ++i) {
      ink.fillStyle = Math.floor(bits / 2 ** i) % 2 ? '#fff' : '#000';
      ink.fillRect(
        left + (i % kColumns) * kCell,
        top + Math.floor(i / kColumns) * kCell,
        kCell,
        kCell,
      );
    }
    track.requestFrame();
  };
  draw();
  return track;
}

const kBeeper = `registerProcessor('beeper', class extends AudioWorkletProcessor {
  at = Math.floor(Date.now() / ${kBeep_ms}); left = 0; hz = 0; phase = 0;
  process(_, [[out]]) {
    const now = Math.floor(Date.now() / ${kBeep_ms});
    if (now !== this.at) {
      this.at = now;
      this.left = 0.03 * sampleRate;
      this.hz = ${JSON.stringify(kHeights_hz)}[now % 4];
      this.phase = 0;
    }
    for (let i = 0; i < out.length; ++i, --this.left) {
      out[i] = this.left > 0 ? 0.5 * Math.sin((this.phase += (2 * Math.PI * this.hz) / sampleRate)) : 0;
    }
    return true;
  }
})`;

/** A beep is heard when its first samples come out of the browser's own play-out buffer. */
const kListener = `registerProcessor('listener', class extends AudioWorkletProcessor {
  quiet = 0; kept = []; began = 0;
  process([[input]]) {
    if (!input) return true;
    const loud = input.some((sample) => Math.abs(sample) > 0.05);
    if (this.began) {
      this.kept.push(...input);
      if (this.kept.length >= 1024) {
        const powers = ${JSON.stringify(kHeights_hz)}.map((hz) => {
          let re = 0, im = 0;
          this.kept.forEach((sample, i) => {
            re += sample * Math.cos((2 * Math.PI * hz * i) / sampleRate);
            im += sample * Math.sin((2 * Math.PI * hz * i) / sampleRate);
          });
          return re * re + im * im;
        });
        const best = powers.indexOf(Math.max(...powers));
        this.port.postMessage({ height: best, at_ms: this.began });
        this.began = 0; this.kept = []; this.quiet = 0;
      }
    } else if (loud && this.quiet > 0.05 * sampleRate) {
      this.began = Date.now();
      this.kept = [...input];
    }
    this.quiet = loud ? 0 : this.quiet + input.length;
    return true;
  }
})`;

async function sound_of(name, code) {
  const context = new AudioContext({ sampleRate: 48000, latencyHint: 'interactive' });
  await context.audioWorklet.addModule(
    URL.createObjectURL(new Blob([code], { type: 'text/javascript' })),
  );
  await context.resume();
  return { context, node: new AudioWorkletNode(context, name) };
}

async function clock_voice() {
  const { context, node } = await sound_of('beeper', kBeeper);
  const out = context.createMediaStreamDestination();
  node.connect(out);
  return out.stream.getAudioTracks()[0];
}

/** Where the magenta frame is in the picture, or null. */
function find_frame(video, scratch) {
  const { videoWidth: width, videoHeight: height } = video;
  Object.assign(scratch, { width, height });
  const ink = scratch.getContext('2d', { willReadFrequently: true });
  ink.drawImage(video, 0, 0);
  const { data } = ink.getImageData(0, 0, width, height);
  const across = new Uint32Array(width);
  const down = new Uint32Array(height);
  for (let y = 0, i = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x, i += 4) {
      if (data[i] < 120 || data[i + 2] < 120) continue;
      if (data[i + 1] > 0.55 * Math.min(data[i], data[i + 2])) continue;
      ++across[x];
      ++down[y];
    }
  }
  const span = (counts, least) => [
    counts.findIndex((one) => one >= least),
    counts.findLastIndex((one) => one >= least) + 1,
  ];
  const [x0, x1] = span(across, height / 20);
  const [y0, y1] = span(down, width / 20);
  return x0 < 0 || y0 < 0 || x1 - x0 < 100 ? null : { x0, y0, w: x1 - x0, h: y1 - y0 };
}

/**
 * Reads the time out of each new picture of `video`; what is found is in window.clock. `taken_ms`: when the newest was
 * taken.
 */
function read_picture(video) {
  const seen = { delays_ms: [], unread: 0, frames: 0, on: true };
  const scratch = document.createElement('canvas');
  const small = document.createElement('canvas');
  const kScale = 8;
  Object.assign(small, { width: kColumns * kScale, height: kRows * kScale });
  const ink = small.getContext('2d', { willReadFrequently: true });
  let place = null;
  let last = -1;
  let missed = 0;
  const frame = (_, { expectedDisplayTime }) => {
    video.requestVideoFrameCallback(frame);
    if (!seen.on) return;
    const shown_ms = Date.now() + (expectedDisplayTime - performance.now());
    ++seen.frames;
    if (place === null || missed > 5 || place.of !== video.videoWidth) {
      const found = find_frame(video, scratch);
      place = found && { ...found, of: video.videoWidth };
      missed = 0;
      if (!place) return;
    }
    const dx = (place.w * kFrame) / (kColumns * kCell + 2 * kFrame);
    const dy = (place.h * kFrame) / (kRows * kCell + 2 * kFrame);
    ink.drawImage(
      video,
      place.x0 + dx,
      place.y0 + dy,
      place.w - 2 * dx,
      place.h - 2 * dy,
      0,
      0,
      small.width,
      small.height,
    );
    const { data } = ink.getImageData(0, 0, small.width, small.height);
    let bits = 0;
    for (let i = 0; i < 32; ++i) {
      const x = (i % kColumns) * kScale + kScale / 2;
      const y = Math.floor(i / kColumns) * kScale + kScale / 2;
      if (data[4 * (y * small.width + x) + 1] > 128) bits += 2 ** i;
    }
    const value = Math.floor(bits / 4096);
    if (bits % 4096 !== check_of(value)) {
      ++missed;
      ++seen.unread;
      return;
    }
    missed = 0;
    if (value === last) return; // shown before
    last = value;
    const delay_ms = ((Math.round(shown_ms) % kTurn_ms) - value + kTurn_ms) % kTurn_ms;
    seen.taken_ms = Math.round(shown_ms) - delay_ms;
    seen.delays_ms.push(delay_ms);
  };
  video.requestVideoFrameCallback(frame);
  return seen;
}

async function read_voice(track) {
  const seen = { delays_ms: [], on: true };
  const pump = document.createElement('audio'); // without one the browser plays nothing of it out
  pump.muted = true;
  pump.srcObject = new MediaStream([track]);
  void pump.play();
  const { context, node } = await sound_of('listener', kListener);
  context.createMediaStreamSource(new MediaStream([track])).connect(node);
  node.connect(context.destination);
  node.port.onmessage = ({ data: { height, at_ms } }) => {
    if (!seen.on) return;
    // The newest moment of this height that is not after it was heard.
    let made = Math.floor(at_ms / kBeep_ms);
    while (made % 4 !== height) --made;
    seen.delays_ms.push(at_ms - made * kBeep_ms);
  };
  return seen;
}

const at_rank = (values, part) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? null;

window.clock = {
  async camera() {
    const stream = new MediaStream([clock_picture(), await clock_voice()]);
    navigator.mediaDevices.getUserMedia = () => Promise.resolve(stream);
  },
  async read(video, with_voice) {
    window.clock.picture = read_picture(video);
    if (with_voice) window.clock.voice = await read_voice(video.srcObject.getAudioTracks()[0]);
  },
  begin() {
    for (const seen of [window.clock.picture, window.clock.voice]) {
      if (seen) Object.assign(seen, { delays_ms: [], unread: 0, frames: 0 });
    }
  },
  result() {
    const of = (seen) =>
      seen && {
        p50_ms: at_rank(seen.delays_ms, 0.5),
        p99_ms: at_rank(seen.delays_ms, 0.99),
        count: seen.delays_ms.length,
        ...(seen.frames !== undefined && { frames: seen.frames, unread: seen.unread }),
      };
    return { picture: of(window.clock.picture), voice: of(window.clock.voice) };
  },
};
