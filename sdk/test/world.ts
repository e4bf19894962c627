import { FakeServer, type FakeClaims, type FakeServerOptions } from '../src/fake/index.ts';
import {
  createClient,
  type ClientOptions,
  type ClientState,
  type FootlightClient,
} from '../src/index.ts';
import type { ClientMessage, WireEvent } from '../src/wire.ts';

/** A server with one open poll, `fork`, of two options. */
export function world(options: FakeServerOptions = {}): FakeServer {
  return new FakeServer({
    episode: { polls: { fork: { options: ['left', 'right'] } } },
    ...options,
  });
}

/** A client not connected yet, and all it will have said. */
export function made(
  server: FakeServer,
  more: ClientOptions = {},
  claims: FakeClaims = { sub: 'ann' },
): { client: FootlightClient; states: ClientState[]; problems: number[] } {
  const client = createClient(server.options(claims, more));
  const states: ClientState[] = [];
  const problems: number[] = [];
  client.on('state', (state) => states.push(state));
  client.on('problem', ({ code }) => problems.push(code));
  return { client, states, problems };
}

export const live = (server: FakeServer, client: FootlightClient): Promise<void> =>
  server.clock.until(() => client.state.get().name === 'live', 120_000);
export const names = (states: ClientState[]): string[] => states.map((state) => state.name);

/** A client that is live. */
export async function joined(
  server: FakeServer,
  claims: FakeClaims = { sub: 'ann' },
  more: ClientOptions = {},
): Promise<FootlightClient> {
  const client = createClient(server.options(claims, more));
  client.connect();
  await live(server, client);
  return client;
}

/** What a reload leaves: the page is gone, its lock is free, its storage stays. */
export function reload(client: FootlightClient, server: FakeServer): void {
  client.close();
  server.disconnect();
}

const isEvents = (message: ClientMessage): message is { t: 'ev'; e: WireEvent[] } =>
  message.t === 'ev';

/** The batches of events a session has sent; the last session when none is named. */
export const batches = (server: FakeServer, session = server.history.length - 1): WireEvent[][] =>
  (server.history[session]?.received ?? []).filter(isEvents).map((message) => message.e);
/** Their event numbers, in the order they came. */
export const numbers = (server: FakeServer, session?: number): number[] =>
  batches(server, session).flatMap((batch) => batch.map((event) => event.i));
