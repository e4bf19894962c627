/**
 * `@footlight/client`: the client of one Footlight episode.
 *
 * @module
 */

export { createClient, FootlightClient, VERSION } from './client.ts';
export { codes, Codes, type Code, type CodeName } from './codes.ts';
export { memoryLocks, memoryStorage } from './platform.ts';
export { ClientCode, FootlightError } from './problems.ts';
export { httpsTransport } from './transport/https.ts';
export { websocketTransport } from './transport/websocket.ts';
export * from './types.ts';
export * from './wire.ts';
