// Paints what lies under the tokens: picture, grid, walls, drawing, and the fog over all of it.
import type { BoardDoc, MapInfo, Wall } from './board_doc';
import type { Camera } from './camera';
import { is_on, revealed_lookup } from './fog';
import { decode_stroke, type XY } from './strokes';
import type { Light, Point, Portal } from './uvtt';

export interface Look {
  paper: string;
  grid: string;
  wall: string;
  portal: string;
  light: string;
  fog: string;
  /** Pen colours. */
  pens: string[];
}
/** The colours in force, of styles/board.css. */
export function look_of_page(): Look {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    paper: of('--map-paper'),
    grid: of('--map-grid'),
    wall: of('--map-wall'),
    portal: of('--map-portal'),
    light: of('--map-light'),
    fog: of('--map-fog'),
    pens: Array.from({ length: 8 }, (_, k) => of(`--pen-${k}`)),
  };
}

export interface Scene {
  board: BoardDoc;
  info: MapInfo;
  picture: ImageBitmap | null;
  look: Look;
  /** Walls, portals, lights and what lies in the fog are for those who direct. */
  directs: boolean;
  /** The stroke under the pen. */
  pen: { points: readonly XY[]; color: number; width: number } | null;
}

export function paint(canvas: HTMLCanvasElement, camera: Camera, scene: Scene): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const { board, info, look } = scene;
  const [left, top] = camera.to_screen(0, 0);
  const [map_w, map_h] = [info.columns * camera.zoom, info.rows * camera.zoom];
  context.fillStyle = look.paper;
  context.fillRect(left, top, map_w, map_h);
  if (scene.picture) {
    context.imageSmoothingQuality = 'high';
    context.drawImage(scene.picture, left, top, map_w, map_h);
  }
  if (info.grid) paint_grid(context, camera, scene, width, height);
  context.save();
  context.beginPath();
  context.rect(left, top, map_w, map_h);
  context.clip();
  if (scene.directs) {
    context.save();
    context.translate(left - info.origin.x * camera.zoom, top - info.origin.y * camera.zoom);
    paint_plan(context, camera.zoom, board, look);
    context.restore();
  }
  for (const stroke of board.drawing.values()) {
    const drawn = decode_stroke(stroke);
    if (drawn) paint_stroke(context, camera, look, drawn);
  }
  if (is_on(board.fog)) paint_fog(context, camera, scene, width, height);
  context.restore();
  if (scene.pen) paint_stroke(context, camera, look, scene.pen);
}

function paint_grid(
  context: CanvasRenderingContext2D,
  camera: Camera,
  { info, look }: Scene,
  width: number,
  height: number,
): void {
  if (camera.zoom < 9) return;
  const [left, top] = camera.to_screen(0, 0);
  const [right, bottom] = camera.to_screen(info.columns, info.rows);
  context.beginPath();
  for (let column = 0; column <= info.columns; ++column) {
    const x = Math.round(left + column * camera.zoom) + 0.5;
    if (x < 0 || x > width) continue;
    context.moveTo(x, Math.max(0, top));
    context.lineTo(x, Math.min(height, bottom));
  }
  for (let row = 0; row <= info.rows; ++row) {
    const y = Math.round(top + row * camera.zoom) + 0.5;
    if (y < 0 || y > height) continue;
    context.moveTo(Math.max(0, left), y);
    context.lineTo(Math.min(width, right), y);
  }
  context.strokeStyle = look.grid;
  context.lineWidth = 1;
  context.stroke();
}

/** Walls, portals and lights, in the coordinates of the map's file. */
function paint_plan(
  context: CanvasRenderingContext2D,
  zoom: number,
  board: BoardDoc,
  look: Look,
): void {
  const path = (points: readonly Point[]): void =>
    points.forEach(({ x, y }, k) =>
      k === 0 ? context.moveTo(x * zoom, y * zoom) : context.lineTo(x * zoom, y * zoom),
    );
  context.lineCap = context.lineJoin = 'round';
  context.lineWidth = Math.max(1.5, zoom / 22);
  for (const kind of ['wall', 'object'] as const) {
    context.beginPath();
    for (const wall of board.walls.values() as IterableIterator<Wall>) {
      if (wall.kind === kind && Array.isArray(wall.points)) path(wall.points);
    }
    context.strokeStyle = look.wall;
    context.setLineDash(kind === 'wall' ? [] : [zoom / 6, zoom / 8]);
    context.stroke();
  }
  for (const portal of board.portals.values() as IterableIterator<Portal>) {
    if (!Array.isArray(portal.bounds)) continue;
    context.beginPath();
    path(portal.bounds);
    context.strokeStyle = look.portal;
    context.lineWidth = Math.max(3, zoom / 10);
    context.setLineDash(portal.closed ? [] : [zoom / 10, zoom / 5]);
    context.stroke();
  }
  context.setLineDash([]);
  context.lineWidth = 1.5;
  for (const { position } of board.lights.values() as IterableIterator<Light>) {
    if (!position) continue;
    context.beginPath();
    context.arc(position.x * zoom, position.y * zoom, Math.max(3, zoom / 9), 0, 7);
    context.fillStyle = look.light;
    context.fill();
  }
}

function paint_stroke(
  context: CanvasRenderingContext2D,
  camera: Camera,
  look: Look,
  { points, color, width }: { points: readonly XY[]; color: number; width: number },
): void {
  context.beginPath();
  points.forEach(([x, y], k) => {
    const [sx, sy] = camera.to_screen(x, y);
    if (k === 0) context.moveTo(sx, sy);
    context.lineTo(sx, sy);
  });
  context.strokeStyle = look.pens[color % look.pens.length] ?? '#000';
  context.lineWidth = Math.max(1, width * camera.zoom);
  context.lineCap = context.lineJoin = 'round';
  context.stroke();
}

function paint_fog(
  context: CanvasRenderingContext2D,
  camera: Camera,
  { board, info, look, directs }: Scene,
  width: number,
  height: number,
): void {
  const seen = revealed_lookup(board.fog);
  const [x0, y0] = camera.to_map(0, 0);
  const [x1, y1] = camera.to_map(width, height);
  const rows = [Math.max(0, Math.floor(y0)), Math.min(info.rows, Math.ceil(y1))] as const;
  const columns = [Math.max(0, Math.floor(x0)), Math.min(info.columns, Math.ceil(x1))] as const;
  context.beginPath();
  for (let y = rows[0]; y < rows[1]; ++y) {
    // Runs, so that no seams show between squares.
    let from = -1;
    for (let x = columns[0]; x <= columns[1]; ++x) {
      const dark = x < columns[1] && !seen(x, y);
      if (dark && from < 0) from = x;
      if (dark || from < 0) continue;
      const [left, top] = camera.to_screen(from, y);
      const bottom = Math.round(top + camera.zoom);
      context.rect(
        Math.round(left),
        Math.round(top),
        Math.round((x - from) * camera.zoom + 0.5),
        bottom - Math.round(top),
      );
      from = -1;
    }
  }
  context.globalAlpha = directs ? 0.5 : 1;
  context.fillStyle = look.fog;
  context.fill();
  context.globalAlpha = 1;
}
