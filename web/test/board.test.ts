// @vitest-environment node
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { BoardDoc, hue_of } from '../src/board/board_doc';
import { Camera } from '../src/board/camera';
import {
  brush,
  cover_all,
  is_revealed,
  paint_fog,
  revealed_lookup,
  type Cell,
} from '../src/board/fog';
import { combatants, step_turn, turn_of, type Combatant } from '../src/board/initiative';
import { assemble, from_base64, kImageBytes, pieces_of, to_base64 } from '../src/board/map_image';
import { decode_stroke, encode_stroke, simplify, touches, type XY } from '../src/board/strokes';
import { parse_uvtt, UvttError, write_uvtt } from '../src/board/uvtt';
import file from './crypt.dd2vtt?raw';

const png = from_base64((JSON.parse(file) as { image: string }).image) as Uint8Array;
const picture = { bytes: png, type: 'image/png', w: 4, h: 4, scale: 1 };

/** Comparing element by element takes Vitest seconds. */
function same(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && Buffer.from(a).equals(Buffer.from(b));
}
function board(): BoardDoc {
  return new BoardDoc(new Y.Doc());
}

describe('a Universal VTT file', () => {
  test('that goes in comes out with walls, doors, lights and all else as they were', () => {
    const before = parse_uvtt(file);
    const on = board();
    on.use_uvtt(before, picture, 'The crypt');
    const after = on.to_uvtt();
    expect(after).toEqual(before);
    expect(JSON.parse(write_uvtt(after))).toEqual(JSON.parse(file));
  });

  test('survives the way to another person', () => {
    const on = board();
    on.use_uvtt(parse_uvtt(file), picture, 'The crypt');
    const there = new Y.Doc();
    Y.applyUpdate(there, Y.encodeStateAsUpdate(on.doc));
    expect(new BoardDoc(there).to_uvtt()).toEqual(parse_uvtt(file));
  });

  test('keeps the order of more walls than one update takes, and no update is large', () => {
    const map = parse_uvtt(file);
    map.line_of_sight = Array.from({ length: 1234 }, (_, k) => [
      { x: k, y: 0 },
      { x: k, y: 1 },
    ]);
    const on = board();
    const sizes: number[] = [];
    on.doc.on('update', (update: Uint8Array) => sizes.push(update.length));
    on.use_uvtt(map, picture, 'Wide');
    expect(Math.max(...sizes)).toBeLessThan(64 * 1024);
    expect(on.to_uvtt().line_of_sight).toEqual(map.line_of_sight);
  });

  test('of a door that was opened says so when it goes out', () => {
    const on = board();
    on.use_uvtt(parse_uvtt(file), picture, 'The crypt');
    on.toggle_portal('00000');
    expect(on.to_uvtt().portals[0]).toMatchObject({ closed: false, rotation: 1.5708 });
  });

  test('replaces the map before it whole', () => {
    const on = board();
    on.use_uvtt(parse_uvtt(file), picture, 'One');
    const small = parse_uvtt(file);
    Object.assign(small, { line_of_sight: [], portals: [], lights: [], image: '' });
    on.use_uvtt(small, null, 'Two');
    expect(on.to_uvtt()).toEqual(small);
    expect(on.assets.size).toBe(0);
  });

  interface Raw {
    resolution: Record<string, unknown>;
    [more: string]: unknown;
  }
  const without = (change: (map: Raw) => void): string => {
    const map = JSON.parse(file) as Raw;
    change(map);
    return JSON.stringify(map);
  };
  test.each<[string, string]>([
    ['{', 'This is not JSON'],
    ['[]', 'The file is not an object.'],
    ['{}', 'no "resolution"'],
    [without((map) => delete map.resolution['map_size']), 'resolution.map_size is not an object.'],
    [
      without((map) => Object.assign(map.resolution, { map_size: { x: 1e9, y: 3 } })),
      'resolution.map_size.x is 1000000000',
    ],
    [
      without((map) => Object.assign(map.resolution, { pixels_per_grid: '70' })),
      'resolution.pixels_per_grid is not a number.',
    ],
    [
      without((map) => Object.assign(map.resolution, { pixels_per_grid: 0 })),
      'resolution.pixels_per_grid is 0',
    ],
    [
      without((map) => Object.assign(map, { line_of_sight: [[{ x: 1, y: 'a' }]] })),
      'line_of_sight[0][0].y is not a number.',
    ],
    [without((map) => Object.assign(map, { line_of_sight: {} })), 'line_of_sight is not a list.'],
    [
      without((map) => Object.assign(map, { portals: [{}] })),
      'portals[0].position is not an object.',
    ],
    [
      without((map) =>
        Object.assign(map, { lights: [{ position: { x: 1, y: 2 }, color: 'red' }] }),
      ),
      'lights[0].color is no colour',
    ],
    [
      without((map) => Object.assign(map, { lights: Array(2001).fill({}) })),
      'lights has 2001 entries; 2000 are allowed.',
    ],
    [
      without((map) =>
        Object.assign(map, { line_of_sight: Array(9).fill(Array(9000).fill({ x: 0, y: 0 })) }),
      ),
      'more than 50000 points',
    ],
    [without((map) => Object.assign(map, { image: 7 })), 'image is not text.'],
  ])('that is wrong is refused with its place in it (%#)', (text, sentence) => {
    expect(() => parse_uvtt(text)).toThrow(UvttError);
    expect(() => parse_uvtt(text)).toThrow(sentence);
  });

  test('of the least that a map needs is taken', () => {
    const map = parse_uvtt('{"resolution":{"map_size":{"x":3,"y":2},"pixels_per_grid":10}}');
    expect(map).toMatchObject({
      format: 0.3,
      line_of_sight: [],
      portals: [],
      lights: [],
      image: '',
    });
  });
});

describe('the picture', () => {
  test('goes in pieces that fit an update, and comes together again', () => {
    const bytes = new Uint8Array(kImageBytes);
    for (let k = 0; k < bytes.length; ++k) bytes[k] = k % 251;
    const doc = new Y.Doc();
    const assets = doc.getMap('assets');
    const pieces = pieces_of('a', bytes);
    const note = { id: 'a', type: 'image/png', w: 1, h: 1, pieces: pieces.length };
    for (const [key, piece] of pieces.slice(1)) assets.set(key, piece);
    expect(assemble(assets, note)).toBe(null);
    const [[key, piece] = ['', new Uint8Array()]] = pieces;
    assets.set(key, piece);
    expect(same(assemble(assets, note), bytes)).toBe(true);
    expect(Math.max(...pieces.map(([, one]) => one.length))).toBeLessThanOrEqual(96 * 1024);
    expect(same(from_base64(to_base64(bytes)), bytes)).toBe(true);
  });
});

describe('fog', () => {
  test('remembers each square, across blocks and below zero', () => {
    const fog = new Y.Doc().getMap('fog');
    const cells: Cell[] = [
      [0, 0],
      [7, 7],
      [8, 7],
      [63, 1],
      [-1, -9],
    ];
    paint_fog(fog, cells, true);
    const seen = revealed_lookup(fog);
    for (let y = -10; y < 10; ++y) {
      for (let x = -2; x < 70; ++x) {
        const want = cells.some(([cx, cy]) => cx === x && cy === y);
        expect(is_revealed(fog, [x, y]), `${x},${y}`).toBe(want);
        expect(seen(x, y)).toBe(want);
      }
    }
    paint_fog(fog, [[7, 7]], false);
    expect(is_revealed(fog, [7, 7])).toBe(false);
    expect(is_revealed(fog, [0, 0])).toBe(true);
  });

  test('writes only what changes, and little of that', () => {
    const fog = new Y.Doc().getMap('fog');
    const room: Cell[] = [];
    for (let y = 0; y < 16; ++y) for (let x = 0; x < 16; ++x) room.push([x, y]);
    expect(paint_fog(fog, room, true)).toBe(4);
    expect(paint_fog(fog, room, true)).toBe(0);
    expect(fog.size).toBe(4);
    fog.set('on', true);
    cover_all(fog);
    expect([...fog.keys()]).toEqual(['on']);
  });

  test('made of nonsense covers', () => {
    const fog = new Y.Doc().getMap('fog');
    fog.set('0,0', { a: 1 });
    expect(is_revealed(fog, [0, 0])).toBe(false);
  });

  test('is lifted by a brush within the map only', () => {
    expect(brush(0.2, 0.2, 0.5, [10, 10])).toEqual([[0, 0]]);
    expect(brush(5, 5, 2, [10, 10]).length).toBeGreaterThan(8);
    expect(brush(9.9, 9.9, 3, [10, 10]).every(([x, y]) => x < 10 && y < 10)).toBe(true);
  });
});

describe('initiative', () => {
  const order: Combatant[] = [
    { id: 'a', name: 'Aria', score: 19 },
    { id: 'b', name: 'Brom', score: 12 },
    { id: 'c', name: 'Cole', score: null },
  ];

  test('goes by score, then by name; who has none comes last', () => {
    const initiative = new Y.Doc().getMap('initiative');
    const add = (id: string, name: string, score?: unknown): void =>
      void initiative.set(
        id,
        new Y.Map<unknown>([
          ['name', name],
          ...(score === undefined ? [] : [['score', score] as [string, unknown]]),
        ]),
      );
    add('z', 'Zoe', 12);
    add('n', 'Nobody');
    add('b', 'Brom', 12);
    add('a', 'Aria', 19);
    add('w', 'Wrong', 'high');
    initiative.set('junk', 7);
    expect(combatants(initiative).map(({ id }) => id)).toEqual(['a', 'b', 'z', 'n', 'w']);
  });

  test('begins with the first, goes round, and back', () => {
    let turn = step_turn(order, { id: '', round: 0 }, 1);
    expect(turn).toEqual({ id: 'a', round: 1 });
    turn = step_turn(order, turn, 1);
    expect(turn).toEqual({ id: 'b', round: 1 });
    turn = step_turn(order, turn, 1);
    expect(turn).toEqual({ id: 'a', round: 2 });
    turn = step_turn(order, turn, -1);
    expect(turn).toEqual({ id: 'b', round: 1 });
    expect(step_turn(order, { id: 'a', round: 1 }, -1)).toEqual({ id: 'a', round: 1 });
  });

  test('goes on when whose turn it was is gone, and ends with nobody', () => {
    expect(step_turn(order, { id: 'gone', round: 3 }, 1)).toEqual({ id: 'a', round: 3 });
    expect(step_turn([], { id: 'gone', round: 3 }, 1)).toEqual({ id: '', round: 0 });
    expect(turn_of(new Y.Doc().getMap('turn'))).toEqual({ id: '', round: 0 });
  });
});

describe('drawing', () => {
  const circle: XY[] = Array.from({ length: 400 }, (_, k) => [
    10 + 5 * Math.cos(k / 60),
    10 + 5 * Math.sin(k / 60),
  ]);

  test('keeps the line with far fewer points', () => {
    const kept = simplify(circle);
    expect(kept.length).toBeLessThan(60);
    for (const point of circle) expect(touches(kept, point, 0.05)).toBe(true);
  });

  test('comes back as it was drawn, to a hundredth', () => {
    const drawn = decode_stroke(encode_stroke(circle, 3, 0.1));
    expect(drawn).toMatchObject({ color: 3, width: 0.1 });
    for (const point of circle) expect(touches(drawn?.points ?? [], point, 0.05)).toBe(true);
  });

  test('is bounded', () => {
    const scribble: XY[] = Array.from({ length: 20_000 }, (_, k) => [
      (k * 37) % 101,
      (k * 53) % 103,
    ]);
    expect(encode_stroke(scribble, 0, 0.1).p.length).toBeLessThanOrEqual(2000);
  });

  test.each([
    null,
    7,
    {},
    { c: 0, w: 9, p: [1] },
    { c: 0, w: 9, p: ['a', 'b'] },
    { c: 0, w: 9, p: Array(2002).fill(1) },
  ])('of nonsense is no stroke (%#)', (value) => {
    expect(decode_stroke(value)).toBe(null);
  });

  test('is touched where it is and not beside it', () => {
    const line: XY[] = [
      [0, 0],
      [10, 0],
    ];
    expect(touches(line, [5, 0.4], 0.5)).toBe(true);
    expect(touches(line, [5, 0.6], 0.5)).toBe(false);
    expect(touches(line, [10.6, 0], 0.5)).toBe(false);
  });
});

describe('tokens', () => {
  test('are read sensibly whatever was written', () => {
    const on = board();
    on.tokens.set(
      'a',
      new Y.Map<unknown>([
        ['at', 'here'],
        ['size', 99],
        ['color', -1],
        ['name', 7],
      ]),
    );
    on.tokens.set('b', 'no token');
    expect(on.all_tokens()).toEqual([
      { id: 'a', name: 'a', x: 0, y: 0, size: 1, color: 0, hidden: false, hp: null, hp_max: null },
    ]);
  });

  test('that are moved write one key, and none when they stay', () => {
    const on = board();
    on.add_token('a', { name: 'Aria', at: [1, 1] });
    let updates = 0;
    on.doc.on('update', () => ++updates);
    on.move_token('a', 2, 3);
    on.move_token('a', 2, 3);
    expect(updates).toBe(1);
    expect(on.token('a')).toMatchObject({ x: 2, y: 3 });
  });
});

test('the camera keeps the point under the pointer when it zooms', () => {
  const camera = new Camera();
  camera.fit(20, 10, 800, 600);
  const before = camera.to_map(300, 200);
  camera.zoom_at(300, 200, 1.7);
  const after = camera.to_map(300, 200);
  expect(after[0]).toBeCloseTo(before[0]);
  expect(after[1]).toBeCloseTo(before[1]);
});

test('a person has the same colour for everyone', () => {
  expect(hue_of('0123456789abcdef')).toBe(hue_of('0123456789abcdef'));
  expect(new Set([...'abcdefghijkl'].map(hue_of)).size).toBeGreaterThan(3);
});
