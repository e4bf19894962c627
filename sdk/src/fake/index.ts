/**
 * `@footlight/client/fake`: a server for the tests of what is built on the client.
 *
 * @module
 */

export {
  FakeEpisode,
  type Decision,
  type FakeActor,
  type FakeEpisodeOptions,
} from './fake_episode.ts';
export { FakeLifecycle } from './fake_lifecycle.ts';
export { FakeNetwork, type Acceptor, type Peer } from './fake_network.ts';
export {
  FakeServer,
  type FakeBoardHost,
  type FakeMediaHost,
  type FakeServerOptions,
  type FakeSession,
} from './fake_server.ts';
export { type FakeClaims } from './fake_token.ts';
export { ManualClock, seededRandom, settled } from './manual_clock.ts';
