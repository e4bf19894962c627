// Where one looks: squares of the map to pixels of the screen and back.

export const kZoomMin = 6;
export const kZoomMax = 240;

export class Camera {
  /** Pixels of the screen where the map's upper left corner is. */
  x = 0;
  y = 0;
  /** Pixels a square. */
  zoom = 40;

  to_screen(x: number, y: number): [number, number] {
    return [this.x + x * this.zoom, this.y + y * this.zoom];
  }
  to_map(x: number, y: number): [number, number] {
    return [(x - this.x) / this.zoom, (y - this.y) / this.zoom];
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
  }

  /** Keeps the point of the map under (x, y) of the screen where it is. */
  zoom_at(x: number, y: number, factor: number): void {
    const [mx, my] = this.to_map(x, y);
    this.zoom = Math.min(kZoomMax, Math.max(kZoomMin, this.zoom * factor));
    this.x = x - mx * this.zoom;
    this.y = y - my * this.zoom;
  }

  /** The whole map within the window. */
  fit(columns: number, rows: number, width: number, height: number): void {
    const room = 12;
    const zoom = Math.min((width - room * 2) / columns, (height - room * 2) / rows);
    this.zoom = Math.min(kZoomMax, Math.max(kZoomMin, zoom));
    this.x = (width - columns * this.zoom) / 2;
    this.y = (height - rows * this.zoom) / 2;
  }
}

/** Where an arrow key goes, in squares. */
export const kArrowSteps: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
