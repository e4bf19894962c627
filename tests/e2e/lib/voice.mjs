// A voice for Chromium's made-up microphone. Its own signal is a beep of 20 ms twice a second: hardly louder than
// silence in the mean, so whoever is to be found speaking needs another.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const kRate = 48_000;
const kSeconds = 2;

/** Two seconds of syllables: 140 Hz and its harmonics, four swells a second, 16-bit PCM in a WAV file. */
export function voice_wav() {
  const count = kRate * kSeconds;
  const wav = Buffer.alloc(44 + count * 2);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + count * 2, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // channels
  wav.writeUInt32LE(kRate, 24);
  wav.writeUInt32LE(kRate * 2, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i++) {
    const t = i / kRate;
    let sample = 0;
    for (let k = 1; k <= 8; k++) sample += Math.sin(2 * Math.PI * 140 * k * t) / k;
    const swell = 0.35 + 0.65 * Math.sin(Math.PI * 4 * t) ** 2;
    wav.writeInt16LE(Math.round(sample * swell * 6000), 44 + i * 2);
  }
  return wav;
}

/** The flag of a browser whose microphone hears that voice, again and again, and what removes its file. */
export function voice() {
  const folder = mkdtempSync(join(tmpdir(), 'footlight-voice-'));
  const path = join(folder, 'voice.wav');
  writeFileSync(path, voice_wav());
  return {
    flag: `--use-file-for-fake-audio-capture=${path}`,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
