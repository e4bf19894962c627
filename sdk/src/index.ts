/**
 * `@footlight/client`: the client of one Footlight episode.
 *
 * @module
 */

export * from './types.ts';
export * from './wire.ts';
