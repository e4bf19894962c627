// The engine at the other end of two FIFOs: build/.../tests/crdt/crdt_replica. One request holds many
// commands and is answered at once, so a run costs a handful of system calls, not one per operation.
//
// Request: u32 little-endian length, then commands (lib0 encodings; see replica.cc). Answer: u32
// length, then for each command that answers: varuint status (0, or an error's number), and a
// varuint-prefixed payload or, after an error, its sentence.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';

const here = path.dirname(new URL(import.meta.url).pathname);
const root = path.resolve(here, '../../..');

export const replicaBinary = () =>
  process.env.CRDT_REPLICA ?? path.join(root, 'build/release/tests/crdt/crdt_replica');

export class EngineGone extends Error {}

export class Link {
  constructor(binary = replicaBinary()) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'footlight-crdt-'));
    const [there, back] = ['in', 'out'].map((name) => path.join(this.folder, name));
    execFileSync('mkfifo', [there, back]);
    this.child = spawn(binary, [there, back], { stdio: ['ignore', 'inherit', 'inherit'] });
    this.child.on('error', () => {});
    if (this.child.pid === undefined) throw new Error(`cannot start ${binary}`);
    this.out = fs.openSync(there, 'w');
    this.in = fs.openSync(back, 'r');
    this.head = Buffer.alloc(4);
  }

  request(commands) {
    this.head.writeUInt32LE(commands.length);
    try {
      this.writeAll(this.head);
      this.writeAll(commands);
    } catch (error) {
      if (error.code === 'EPIPE') throw new EngineGone('the engine ended while it was written to');
      throw error;
    }
    this.readAll(this.head);
    const answer = Buffer.allocUnsafe(this.head.readUInt32LE());
    this.readAll(answer);
    return answer;
  }

  writeAll(bytes) {
    for (let at = 0; at < bytes.length; )
      at += fs.writeSync(this.out, bytes, at, bytes.length - at);
  }

  readAll(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const got = fs.readSync(this.in, bytes, at, bytes.length - at, null);
      if (got === 0) throw new EngineGone('the engine ended in the middle of a request');
      at += got;
    }
  }

  close() {
    try {
      fs.closeSync(this.out);
      fs.closeSync(this.in);
    } finally {
      this.child.kill();
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

export class Divergence extends Error {
  constructor(what, detail) {
    super(`${what}: ${detail}`);
    this.what = what;
  }
}

const hex = (bytes) => {
  const text = Buffer.from(bytes).toString('hex');
  return text.length > 400 ? `${text.slice(0, 400)}… (${bytes.length} bytes)` : text;
};

// Gathers commands and what their answers must be.
export class Session {
  constructor(link) {
    this.link = link;
    this.encoder = encoding.createEncoder();
    this.awaited = [];
    this.step = 0; // which step of the history is played; for messages
    this.nextDoc = 1;
  }

  u(value) {
    encoding.writeVarUint(this.encoder, value);
    return this;
  }

  s(text) {
    encoding.writeVarString(this.encoder, text);
    return this;
  }

  bytes(value) {
    encoding.writeVarUint8Array(this.encoder, value);
    return this;
  }

  any(value) {
    encoding.writeAny(this.encoder, value);
    return this;
  }

  // The command just written answers; `check` gets the payload and returns a complaint or undefined.
  await(what, check) {
    this.awaited.push({ what, check, step: this.step });
    if (encoding.length(this.encoder) > 400000) this.flush();
  }

  // The answer's payload must be these bytes.
  awaitBytes(what, expected, explain) {
    this.await(what, (got) => {
      if (Buffer.compare(got, expected) === 0) return undefined;
      const more = explain ? `\n${explain(got)}` : '';
      return `\n  yjs   ${hex(expected)}\n  ours  ${hex(got)}${more}`;
    });
  }

  awaitOk(what) {
    this.await(what, () => undefined);
  }

  flush() {
    if (encoding.length(this.encoder) === 0) return;
    const commands = encoding.toUint8Array(this.encoder);
    this.encoder = encoding.createEncoder();
    const awaited = this.awaited;
    this.awaited = [];
    const decoder = decoding.createDecoder(this.link.request(commands));
    for (const { what, check, refuse, step } of awaited) {
      if (!decoding.hasContent(decoder)) throw new Divergence(what(), 'no answer');
      const status = decoding.readVarUint(decoder);
      const payload = decoding.readVarUint8Array(decoder);
      if (status && refuse) {
        refuse(status);
        continue;
      }
      const complaint = status
        ? `error ${status} ${Buffer.from(payload).toString()}`
        : check(payload);
      if (complaint !== undefined) throw new Divergence(`step ${step}: ${what()}`, complaint);
    }
    if (decoding.hasContent(decoder))
      throw new Divergence('protocol', 'more answers than questions');
  }
}
