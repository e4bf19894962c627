/**
 * How what others drag moves on the screen: news of it comes each 33 ms to the cast, each 100 to 250 ms to an
 * audience, and in between it glides, the slower the longer the steps are.
 */
const kFrameMs = 1000 / 60;
const kLeft = 0.3; // of the way, when the next news is due
const [kLeastMs, kMostMs, kFirstMs] = [16, 250, 33];
const kMostPeople = 256;

export class Glide {
  #rhythm = new Map<number, { x: number; y: number; at_ms: number; every_ms: number }>();

  /** The part of the way for this frame towards where `client` has it now. */
  share(client: number, to: { x: number; y: number }, now_ms = performance.now()): number {
    const last = this.#rhythm.get(client);
    if (!last) {
      if (this.#rhythm.size >= kMostPeople) this.#rhythm.clear();
      this.#rhythm.set(client, { x: to.x, y: to.y, at_ms: now_ms, every_ms: kFirstMs });
    } else if (last.x !== to.x || last.y !== to.y) {
      const gap_ms = Math.min(Math.max(now_ms - last.at_ms, kLeastMs), kMostMs);
      last.every_ms += (gap_ms - last.every_ms) * 0.3;
      [last.x, last.y, last.at_ms] = [to.x, to.y, now_ms];
    }
    return 1 - kLeft ** (kFrameMs / (last?.every_ms ?? kFirstMs));
  }
}
