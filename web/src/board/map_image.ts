// The map's picture within the document: bytes in pieces, each an update of its own, since an update
// has a bound. A picture that is too large is made smaller here, before anyone has to carry it.
import type * as Y from 'yjs';

export interface ImageNote {
  id: string;
  type: string;
  w: number;
  h: number;
  pieces: number;
}

export const kImageBytes = 1_500_000;
const kPieceBytes = 96 * 1024;
const kSideAtMost = 4096;
const kFileBytes = 64 * 1024 * 1024;
const kPiecesAtMost = 64;

/** A sentence for the person who chose the file. */
export class ImageError extends Error {}

export interface Prepared {
  bytes: Uint8Array;
  type: string;
  w: number;
  h: number;
  /** Of the width before. */
  scale: number;
}

/**
 * A picture of at most `kImageBytes` and `kSideAtMost` pixels a side: as it is when it fits, else
 * smaller. With `pixels_per_grid` the scale keeps that a whole number.
 */
export async function prepare_image(file: Blob, pixels_per_grid = 0): Promise<Prepared> {
  if (file.size > kFileBytes) throw new ImageError('The picture is larger than 64 MB.');
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new ImageError('This browser cannot read the file as a picture.');
  }
  const { width, height } = bitmap;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let scale = Math.min(1, kSideAtMost / Math.max(width, height));
  if (scale === 1 && bytes.length <= kImageBytes) {
    bitmap.close();
    return { bytes, type: type_of(bytes), w: width, h: height, scale: 1 };
  }
  try {
    for (let tries = 0; tries < 8; ++tries) {
      if (pixels_per_grid > 1) {
        scale = Math.max(1, Math.floor(pixels_per_grid * scale)) / pixels_per_grid;
      }
      const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
      for (const quality of [0.86, 0.7]) {
        const small = await encoded(bitmap, w, h, quality);
        if (small && small.size <= kImageBytes) {
          const smaller = new Uint8Array(await small.arrayBuffer());
          return { bytes: smaller, type: small.type, w, h, scale };
        }
      }
      scale *= 0.75;
    }
  } finally {
    bitmap.close();
  }
  throw new ImageError('The picture cannot be made small enough to share.');
}

function encoded(bitmap: ImageBitmap, w: number, h: number, quality: number): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  canvas.width = w;
  canvas.height = h;
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, w, h);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/webp', quality));
}

/** By its first bytes. */
export function type_of(bytes: Uint8Array): string {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return 'image/png';
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'image/jpeg';
  if (bytes[0] === 0x52 && bytes[8] === 0x57) return 'image/webp';
  return 'image/png';
}

/** The pieces of a picture by their keys, to be set in a transaction each. */
export function pieces_of(id: string, bytes: Uint8Array): [key: string, piece: Uint8Array][] {
  const pieces: [string, Uint8Array][] = [];
  for (let at = 0; at < bytes.length; at += kPieceBytes) {
    pieces.push([`${id}:${pieces.length}`, bytes.slice(at, at + kPieceBytes)]);
  }
  return pieces;
}

/** Puts a picture together; null while a piece is missing. */
export function assemble(assets: Y.Map<unknown>, note: ImageNote): Uint8Array | null {
  const found: Uint8Array[] = [];
  for (let k = 0; k < note.pieces; ++k) {
    const piece = assets.get(`${note.id}:${k}`);
    if (!(piece instanceof Uint8Array)) return null;
    found.push(piece);
  }
  const whole = new Uint8Array(found.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of found) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export function read_note(value: unknown): ImageNote | null {
  const { id, type, w, h, pieces } = (value ?? {}) as Partial<ImageNote>;
  const counts = [w, h, pieces].every((n) => Number.isSafeInteger(n) && (n as number) > 0);
  if (typeof id !== 'string' || typeof type !== 'string' || !counts) return null;
  return (pieces as number) > kPiecesAtMost ? null : (value as ImageNote);
}

export function to_base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

/** Null: not base64. A data URL is understood too. */
export function from_base64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text.replace(/^data:[^,]*,/, '')), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
