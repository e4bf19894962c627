// Drawing: a stroke is one value, written when the pen is lifted and never changed. Points are
// hundredths of a square, each after the first as the way from the one before.

export interface Stroke {
  /** Index of a pen colour. */
  c: number;
  /** Width, hundredths of a square. */
  w: number;
  p: number[];
}
export type XY = readonly [x: number, y: number];

const kPointsAtMost = 1000;
const kTolerance = 0.03;
/** Simplifying costs the square of this at worst. */
const kRawPoints = 4000;

/** Leaves out what lies within `tolerance` squares of a straight line (Douglas and Peucker, 1973). */
export function simplify(points: readonly XY[], tolerance = kTolerance): XY[] {
  if (points.length < 3) return [...points];
  const keep = new Set([0, points.length - 1]);
  const spans: [number, number][] = [[0, points.length - 1]];
  for (let span = spans.pop(); span; span = spans.pop()) {
    const [from, to] = span;
    let farthest = 0;
    let at = -1;
    for (let k = from + 1; k < to; ++k) {
      const off = distance(points[k] as XY, points[from] as XY, points[to] as XY);
      if (off > farthest) [farthest, at] = [off, k];
    }
    if (at < 0 || farthest <= tolerance) continue;
    keep.add(at);
    spans.push([from, at], [at, to]);
  }
  return points.filter((_, k) => keep.has(k));
}

export function encode_stroke(points: readonly XY[], color: number, width: number): Stroke {
  const every = Math.ceil(points.length / kRawPoints);
  const thin = points.filter((_, k) => k % every === 0 || k === points.length - 1);
  let kept = simplify(thin);
  for (let tolerance = kTolerance * 2; kept.length > kPointsAtMost; tolerance *= 2) {
    kept = simplify(kept, tolerance);
  }
  const p: number[] = [];
  let [px, py] = [0, 0];
  for (const [x, y] of kept) {
    const [ix, iy] = [Math.round(x * 100), Math.round(y * 100)];
    p.push(ix - px, iy - py);
    [px, py] = [ix, iy];
  }
  return { c: color, w: Math.round(width * 100), p };
}

/** The points of what may be a stroke: anyone may have written it. */
export function decode_stroke(
  value: unknown,
): { points: XY[]; color: number; width: number } | null {
  if (typeof value !== 'object' || value === null) return null;
  const { c, w, p } = value as Partial<Stroke>;
  if (typeof c !== 'number' || typeof w !== 'number' || !Array.isArray(p)) return null;
  if (p.length < 2 || p.length > 2 * kPointsAtMost || !p.every(Number.isFinite)) return null;
  const points: XY[] = [];
  let [x, y] = [0, 0];
  for (let k = 0; k + 1 < p.length; k += 2) {
    x += p[k] as number;
    y += p[k + 1] as number;
    points.push([x / 100, y / 100]);
  }
  return { points, color: Math.abs(Math.trunc(c)), width: Math.min(2, Math.max(0.02, w / 100)) };
}

/** Whether an eraser of `radius` squares at `at` touches it. */
export function touches(points: readonly XY[], at: XY, radius: number): boolean {
  if (points.length === 1) return distance(at, points[0] as XY, points[0] as XY) <= radius;
  return points.some((to, k) => k > 0 && distance(at, points[k - 1] as XY, to) <= radius);
}

/** From a point to a piece of a line. */
function distance([x, y]: XY, [ax, ay]: XY, [bx, by]: XY): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
