import * as Y from 'yjs';
import { FakeServer, type FakeClaims, type FakeServerOptions } from '../src/fake/index.ts';
import { createClient, type ClientOptions, type FootlightClient } from '../src/index.ts';
import type { BoardRefusal } from '../src/yjs/board.ts';
import { fakeBoards, type FakeBoards, type FakeBoardsOptions } from '../src/yjs/fake.ts';
import { yjsProvider, type FootlightBoard } from '../src/yjs/index.ts';

/** A server with boards. */
export function table(
  options: FakeBoardsOptions = {},
  more: FakeServerOptions = {},
): { server: FakeServer; boards: FakeBoards } {
  const boards = fakeBoards(options);
  return { server: new FakeServer({ ...more, boards }), boards };
}

export interface Player {
  client: FootlightClient;
  board: FootlightBoard;
  refusals: BoardRefusal[];
  resets: Y.Doc[];
  problems: number[];
  /** The text `t` of the document as it is now. */
  text: () => Y.Text;
}

/** A client with a board, connected unless told otherwise. */
export function player(
  server: FakeServer,
  sub: string,
  {
    connect = true,
    doc,
    id = 'table',
    ...more
  }: ClientOptions & {
    connect?: boolean;
    doc?: Y.Doc;
    id?: string;
    claims?: Partial<FakeClaims>;
  } = {},
): Player {
  const { claims = {}, ...options } = more;
  const client = createClient(server.options({ sub, role: 'player', ...claims }, options));
  const board = yjsProvider(client, id, doc);
  const made: Player = {
    client,
    board,
    refusals: [],
    resets: [],
    problems: [],
    text: () => board.doc.get().getText('t'),
  };
  board.on('refused', (refusal) => made.refusals.push(refusal));
  board.on('reset', ({ doc: next }) => made.resets.push(next));
  board.on('problem', ({ code }) => made.problems.push(code));
  if (connect) client.connect();
  return made;
}

export const isLive = ({ board }: Player): boolean => board.state.get().name === 'live';
/** Live, and nothing is pending. */
export async function quiet(server: FakeServer, ...players: Player[]): Promise<void> {
  await server.clock.until(() =>
    players.every((one) => isLive(one) && one.board.pending.get() === 0),
  );
  await server.advance(50);
}
