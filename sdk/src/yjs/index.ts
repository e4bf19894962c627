/**
 * `@footlight/client/yjs`: boards, for any editor that speaks Yjs. Needs `yjs` and `y-protocols`.
 *
 * @module
 */

import type { Doc } from 'yjs';
import type { Client } from '../types.ts';
import { FootlightBoard } from './board.ts';

export { FootlightBoard } from './board.ts';
export type { BoardEvents, BoardRefusal, BoardState } from './board.ts';
export { mayDo } from './messages.ts';
export type { BoardInfo, BoardLimits, BoardRights, Overruled, Right } from './messages.ts';

/**
 * Opens the board `id` of the client's episode: `table` where the episode file lists none, `$state`
 * for the authoritative state to read. With `doc`, what is in it becomes an edit of one's own.
 */
export function yjsProvider(client: Client, id: string, doc?: Doc): FootlightBoard {
  return new FootlightBoard(client, id, doc);
}
