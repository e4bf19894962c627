import { Codes } from './codes.ts';
import type { Problem } from './types.ts';

/** The client's own reasons; the server's begin at 4000. */
export const ClientCode = {
  /** The network, a proxy or a time-out ended the connection: nothing was said. */
  network: 1,
  /** `close()` was called. */
  closed: 2,
  /** The outbox holds as many events as it may. */
  outboxFull: 3,
  /** The event grew too old before it was confirmed; it may or may not have counted. */
  tooOld: 4,
  /** The event is larger than a frame. */
  tooLarge: 5,
  /** Another tab has taken over this outbox; its answer goes there. */
  takenOver: 6,
  /** No token could be had. */
  noToken: 7,
  /** Storage refused; what is sent now does not survive a reload. */
  storage: 8,
  /** A frame of the server could not be read and was ignored. */
  badServerFrame: 9,
  /** The event was sent again and again without an answer. */
  noAnswer: 10,
  /** The board began anew; what was made on the old one cannot be added to it. */
  boardReset: 11,
  /** The person or the system does not let the page use camera, microphone or screen. */
  deviceRefused: 12,
  /** There is no such camera or microphone, or it can do what is asked for no longer. */
  deviceMissing: 13,
  /** Another program has the device, or it is broken. */
  deviceBusy: 14,
  /** This browser has no WebRTC, or the page is not served securely. */
  noWebRtc: 15,
} as const;

/** A refused event, as an exception: the numbered reason and its sentence. */
export class FootlightError extends Error implements Problem {
  readonly code: number;
  constructor(problem: Problem) {
    super(problem.message);
    this.name = 'FootlightError';
    this.code = problem.code;
  }
}

const AGAIN: ReadonlySet<number> = new Set([
  Codes.HelloTimeout,
  Codes.UnknownSession,
  Codes.LogFenced,
  Codes.Draining,
  Codes.SlowConsumer,
  Codes.Idle,
  Codes.Internal,
]);

/** Whether to come back after a close with `code` that no `bye` explained. */
export function worthReconnecting(code: number): boolean {
  if (code < 4000 || code > 4999) return true;
  return AGAIN.has(code) || isAdmissionProblem(code);
}

/** Too much or too many: worth another try later. */
export function isAdmissionProblem(code: number): boolean {
  return code >= Codes.RateConnection && code < Codes.EpisodeUnknown;
}

/** About the token itself, not about one event's rights. */
export function isTokenProblem(code: number): boolean {
  return (
    code >= Codes.TokenMalformed &&
    code <= Codes.TokenChanged &&
    code !== Codes.Forbidden &&
    code !== Codes.ForeignVoter
  );
}
