/** What the browser's getStats tells, as figures a person or the server can use. */

import type { Kind } from './publication.ts';

/** One stream, received or sent. */
export interface StreamFigures {
  readonly mid: string;
  readonly kind: Kind;
  readonly bps: number;
  /** Of video. */
  readonly fps: number;
  readonly width: number;
  readonly height: number;
  /** Per mille of packets since the last look; of what is sent as the server says. */
  readonly lossPm: number;
  /** Received: how long it waits to be played, milliseconds. */
  readonly bufferMs: number;
  readonly freezes: number;
  /** Received voice: 0–1, smoothed by the browser. */
  readonly level: number;
  /** Of simulcast: the sizes that are sent now, by rid. */
  readonly layers: readonly string[];
}

export interface LineFigures {
  readonly rttMs: number;
  /** Per mille, of all streams together. */
  readonly lossPm: number;
  readonly streams: readonly StreamFigures[];
}

interface Before {
  at: number;
  bytes: number;
  packets: number;
  lost: number;
  delay_s: number;
  emitted: number;
}

type Entry = Record<string, unknown> & { type: string; id: string };

/** Keeps what the counters were, for one peer connection after another. */
export class Meter {
  #before = new Map<string, Before>();
  #peer: RTCPeerConnection | null = null;

  async read(peer: RTCPeerConnection): Promise<LineFigures> {
    const report = await peer.getStats();
    if (peer !== this.#peer) this.#before.clear();
    this.#peer = peer;
    const all: Entry[] = [];
    report.forEach((entry: Entry) => all.push(entry));
    const sending = all.some((one) => one.type === 'outbound-rtp');
    const remote = all.filter((one) => one.type === 'remote-inbound-rtp');
    const streams = sending ? this.#sent(all, remote) : this.#received(all);
    const pair = all.find((one) => one.type === 'candidate-pair' && one['nominated'] === true);
    const told = remote.map((one) => number(one['roundTripTime'])).filter((rtt) => rtt > 0);
    const rtt_s = number(pair?.['currentRoundTripTime']) || Math.min(...told, Infinity);
    return {
      rttMs: Number.isFinite(rtt_s) ? Math.round(rtt_s * 1000) : 0,
      lossPm: Math.max(0, ...streams.map((one) => one.lossPm)),
      streams,
    };
  }

  #received(all: Entry[]): StreamFigures[] {
    return all
      .filter((one) => one.type === 'inbound-rtp' && one['mid'] !== undefined)
      .map((one) => {
        const now: Before = {
          at: number(one['timestamp']),
          bytes: number(one['bytesReceived']),
          packets: number(one['packetsReceived']),
          lost: number(one['packetsLost']),
          delay_s: number(one['jitterBufferDelay']),
          emitted: number(one['jitterBufferEmittedCount']),
        };
        const d = this.#since(one.id, now);
        return figures(one, {
          bps: d.bps,
          lossPm: perMille(d.lost, d.lost + d.packets),
          bufferMs: d.emitted > 0 ? Math.round((1000 * d.delay_s) / d.emitted) : 0,
        });
      });
  }

  /** One for each m-line: the sizes of simulcast are one stream. */
  #sent(all: Entry[], remote: Entry[]): StreamFigures[] {
    const out = new Map<string, StreamFigures>();
    for (const one of all) {
      if (one.type !== 'outbound-rtp' || one['mid'] === undefined) continue;
      const now = { at: number(one['timestamp']), bytes: number(one['bytesSent']) };
      const d = this.#since(one.id, { ...now, packets: 0, lost: 0, delay_s: 0, emitted: 0 });
      const theirs = remote.filter((it) => it['localId'] === one.id);
      const loss = Math.max(0, ...theirs.map((it) => number(it['fractionLost'])));
      const rid = typeof one['rid'] === 'string' ? one['rid'] : '';
      const fresh = figures(one, { bps: d.bps, lossPm: Math.round(1000 * loss), bufferMs: 0 });
      const other = out.get(fresh.mid);
      const layers = d.bps > 0 && rid ? [...(other?.layers ?? []), rid] : (other?.layers ?? []);
      const larger = !other || fresh.height >= other.height ? fresh : other;
      const bps = fresh.bps + (other?.bps ?? 0);
      const lossPm = Math.max(fresh.lossPm, other?.lossPm ?? 0);
      out.set(fresh.mid, { ...larger, bps, lossPm, layers });
    }
    return [...out.values()];
  }

  #since(id: string, now: Before): Before & { bps: number } {
    const before = this.#before.get(id);
    this.#before.set(id, now);
    if (!before) return { ...now, lost: 0, packets: 0, bps: 0 };
    const ms = now.at - before.at;
    const bytes = now.bytes - before.bytes;
    return {
      at: now.at,
      bytes,
      packets: Math.max(0, now.packets - before.packets),
      lost: Math.max(0, now.lost - before.lost),
      delay_s: now.delay_s - before.delay_s,
      emitted: now.emitted - before.emitted,
      bps: ms > 0 ? Math.round((8000 * bytes) / ms) : 0,
    };
  }
}

function figures(
  one: Entry,
  known: Pick<StreamFigures, 'bps' | 'lossPm' | 'bufferMs'>,
): StreamFigures {
  return {
    ...known,
    mid: String(one['mid']),
    kind: one['kind'] === 'audio' ? 'audio' : 'video',
    fps: Math.round(number(one['framesPerSecond'])),
    width: number(one['frameWidth']),
    height: number(one['frameHeight']),
    freezes: number(one['freezeCount']),
    level: number(one['audioLevel']),
    layers: [],
  };
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function perMille(part: number, whole: number): number {
  return whole > 0 ? Math.round((1000 * part) / whole) : 0;
}

export type LinkGrade = 'good' | 'fair' | 'poor' | 'bad';

/** Four words for a line, worst first to count: what a call needs, not what a download does. */
export function gradeOf({ rttMs, lossPm }: { rttMs: number; lossPm: number }): LinkGrade {
  if (rttMs > 500 || lossPm > 100) return 'bad';
  if (rttMs > 250 || lossPm > 40) return 'poor';
  if (rttMs > 120 || lossPm > 10) return 'fair';
  return 'good';
}
