// Universal VTT files (.uvtt, .dd2vtt, .df2vtt; format 0.2 and 0.3): a map's picture with its walls,
// portals and lights, in squares of the grid. A file is a stranger's: what is missing or senseless is
// refused with its place in the file, and everything has a bound. Fields that are not known here are
// kept, so that a file that goes out is the one that came in.

export interface Point {
  x: number;
  y: number;
}
export interface Portal {
  position: Point;
  bounds: Point[];
  rotation: number;
  closed: boolean;
  freestanding: boolean;
  [more: string]: unknown;
}
export interface Light {
  position: Point;
  range: number;
  intensity: number;
  /** Hex digits, alpha first. */
  color: string;
  shadows: boolean;
  [more: string]: unknown;
}
export interface Uvtt {
  format: number;
  resolution: { map_origin: Point; map_size: Point; pixels_per_grid: number };
  line_of_sight: Point[][];
  objects_line_of_sight: Point[][];
  portals: Portal[];
  lights: Light[];
  /** The picture: bytes as base64; '' when there is none. */
  image: string;
  /** All else: `environment`, and what later formats add. */
  more: Record<string, unknown>;
}

export const kUvttBytes = 64 * 1024 * 1024;
export const kSquaresAtMost = 500;
const kLinesAtMost = 5000;
const kPointsAtMost = 50_000;
const kThingsAtMost = 2000;

/** Why a file is no map: a sentence for the person who chose it. */
export class UvttError extends Error {}

export function parse_uvtt(text: string): Uvtt {
  if (text.length > kUvttBytes) throw new UvttError('The file is larger than 64 MB.');
  let root: unknown;
  try {
    root = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new UvttError(
      `This is not JSON, as a Universal VTT file is: ${(error as Error).message}`,
    );
  }
  const file = fields(root, 'the file');
  const {
    format,
    resolution,
    line_of_sight,
    objects_line_of_sight,
    portals,
    lights,
    image,
    ...more
  } = file;
  if (resolution === undefined) {
    throw new UvttError('The file has no "resolution"; it is not a Universal VTT map.');
  }
  const grid = fields(resolution, 'resolution');
  const size = point(grid['map_size'], 'resolution.map_size');
  const pixels = number(grid['pixels_per_grid'], 'resolution.pixels_per_grid');
  for (const [axis, squares] of Object.entries(size)) {
    if (squares <= 0 || squares > kSquaresAtMost) {
      throw new UvttError(
        `resolution.map_size.${axis} is ${squares}; a map is 1 to ${kSquaresAtMost} squares.`,
      );
    }
  }
  if (pixels < 1 || pixels > 4096) {
    throw new UvttError(`resolution.pixels_per_grid is ${pixels}; it has to be 1 to 4096.`);
  }
  const budget = { points: kPointsAtMost };
  if (image !== undefined && typeof image !== 'string') throw new UvttError('image is not text.');
  return {
    format: format === undefined ? 0.3 : number(format, 'format'),
    resolution: {
      map_origin:
        grid['map_origin'] === undefined
          ? { x: 0, y: 0 }
          : point(grid['map_origin'], 'resolution.map_origin'),
      map_size: size,
      pixels_per_grid: pixels,
    },
    line_of_sight: lines(line_of_sight, 'line_of_sight', budget),
    objects_line_of_sight: lines(objects_line_of_sight, 'objects_line_of_sight', budget),
    portals: list(portals, 'portals', kThingsAtMost).map(read_portal),
    lights: list(lights, 'lights', kThingsAtMost).map(read_light),
    image: image ?? '',
    more,
  };
}

export function write_uvtt(map: Uvtt): string {
  const { more, format, resolution, line_of_sight, objects_line_of_sight, portals, ...rest } = map;
  const { lights, image } = rest;
  return JSON.stringify({
    format,
    resolution,
    line_of_sight,
    objects_line_of_sight,
    portals,
    ...more,
    lights,
    image,
  });
}

function read_portal(value: unknown, index: number): Portal {
  const at = `portals[${index}]`;
  const f = fields(value, at);
  return {
    ...f,
    position: point(f['position'], `${at}.position`),
    bounds: list(f['bounds'], `${at}.bounds`, 16).map((it, k) => point(it, `${at}.bounds[${k}]`)),
    rotation: number(f['rotation'] ?? 0, `${at}.rotation`),
    closed: f['closed'] !== false,
    freestanding: f['freestanding'] === true,
  };
}

function read_light(value: unknown, index: number): Light {
  const at = `lights[${index}]`;
  const f = fields(value, at);
  const color = f['color'] ?? 'ffffffff';
  if (typeof color !== 'string' || !/^#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(color)) {
    throw new UvttError(`${at}.color is no colour in hex digits.`);
  }
  return {
    ...f,
    position: point(f['position'], `${at}.position`),
    range: number(f['range'] ?? 0, `${at}.range`),
    intensity: number(f['intensity'] ?? 1, `${at}.intensity`),
    color,
    shadows: f['shadows'] !== false,
  };
}

function lines(value: unknown, at: string, budget: { points: number }): Point[][] {
  return list(value, at, kLinesAtMost).map((line, k) => {
    const points = list(line, `${at}[${k}]`, kPointsAtMost);
    budget.points -= points.length;
    if (budget.points < 0) throw new UvttError(`The walls have more than ${kPointsAtMost} points.`);
    return points.map((it, j) => point(it, `${at}[${k}][${j}]`));
  });
}

function fields(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UvttError(`${capital(at)} is not an object.`);
  }
  return value as Record<string, unknown>;
}
function list(value: unknown, at: string, most: number): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UvttError(`${capital(at)} is not a list.`);
  if (value.length > most) {
    throw new UvttError(`${capital(at)} has ${value.length} entries; ${most} are allowed.`);
  }
  return value;
}
function number(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new UvttError(`${capital(at)} is not a number.`);
  }
  return value;
}
function point(value: unknown, at: string): Point {
  const f = fields(value, at);
  return { x: number(f['x'], `${at}.x`), y: number(f['y'], `${at}.y`) };
}
function capital(text: string): string {
  return text === 'the file' ? 'The file' : text;
}
