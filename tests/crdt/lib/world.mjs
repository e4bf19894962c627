// A history: replicas that write, messages between them that are late, lost, doubled or overtaken,
// and a settling at the end after which all must be equal. Step i draws from its own generator, so
// that steps can be left out (shrinking) without changing what the others draw.
import * as Y from 'yjs';
import { act } from './actions.mjs';
import { C } from './commands.mjs';
import { lookBack, place } from './history.mjs';
import { PROFILES } from './profiles.mjs';
import { Prng } from './prng.mjs';
import { Replica, sameMeaning } from './replica.mjs';
import { Undo } from './undo.mjs';

const CLIENTS = [1, 2, 5, 127, 128, 70000, 0x7fffffff, 0xfffffffe, 0x100000001, 2 ** 53 - 2];

const mergeV = [Y.mergeUpdates, Y.mergeUpdatesV2];

export class World {
  constructor(session, seed, profileName) {
    this.session = session;
    this.seed = seed;
    this.profile = PROFILES[profileName];
    this.rng = new Prng(seed, 0x5eed);
    this.operations = 0;
    this.clients = this.rng.shuffle([...CLIENTS]);
    session.u(C.reset);
    const [low, high] = this.profile.replicas;
    this.replicas = Array.from({ length: this.rng.between(low, high) }, (_, i) => {
      const { gc } = this.profile;
      const replica = new Replica(session, this.freshClient(), {
        gc: gc === 'on' || (gc === 'mixed' && i % 2 === 0),
      });
      if (this.profile.undo) replica.undo = new Undo(replica, this.rng, this.profile);
      return replica;
    });
    this.choices = Object.entries(this.profile.weights).map(([name, weight]) => [weight, name]);
  }

  freshClient() {
    return this.clients.length > 0 ? this.clients.pop() : 1000 + this.rng.below(2 ** 31);
  }

  step(index) {
    const rng = new Prng(this.seed, index);
    this.session.step = index;
    this[rng.weighted(this.choices)](rng, rng.pick(this.replicas));
  }

  send(from, updates) {
    for (const { v1, v2, origin } of updates) {
      if (typeof origin === 'string' && origin === 'origin 1') continue; // came from elsewhere
      for (const other of this.replicas) {
        if (other !== from) other.inbox.push({ v1, v2 });
      }
    }
  }

  // --- steps ------------------------------------------------------------------------------------

  local(rng, replica) {
    const count = rng.between(...this.profile.burst);
    this.operations += count;
    const updates = replica.transact(
      () => {
        for (let i = 0; i < count; i++) act(rng, this.session, replica, this.profile);
      },
      replica.undo ? replica.undo.origin(rng) : 0,
    );
    this.send(replica, updates);
  }

  deliver(rng, replica) {
    const { inbox } = replica;
    for (let n = rng.between(1, 6); n > 0 && inbox.length > 0; n--) {
      const lossy = rng.chance(this.profile.lossy, 16);
      const fate = lossy ? rng.pick(['lost', 'doubled', 'overtaken']) : '';
      const at = fate === 'overtaken' ? rng.below(inbox.length) : 0;
      const message = fate === 'doubled' ? inbox[0] : inbox.splice(at, 1)[0];
      if (fate !== 'lost') this.receive(replica, message, rng.between(1, 2));
    }
  }

  receive(replica, message, version, words) {
    this.operations++;
    this.send(replica, replica.apply(version === 1 ? message.v1 : message.v2, version, words));
  }

  sync(rng, replica) {
    const other = rng.pick(this.replicas);
    if (other !== replica) this.bring(other, replica, rng.between(1, 2));
  }

  bring(from, to, version) {
    const update = from.encode(version, to.stateVector());
    this.operations++;
    this.send(to, to.apply(update, version, `what document ${from.id} has`));
  }

  // Some messages as one, merged by yjs and by us; what we made is applied.
  merge(rng, replica) {
    const count = Math.min(replica.inbox.length, rng.between(2, 12));
    if (count < 2) return;
    const version = rng.between(1, 2);
    const messages = replica.inbox.splice(0, count).map(({ v1, v2 }) => (version === 1 ? v1 : v2));
    if (rng.chance(1, 2)) rng.shuffle(messages);
    const expected = mergeV[version - 1](messages);
    const { session } = this;
    session.u(C.merge).u(version).u(messages.length);
    for (const message of messages) session.bytes(message);
    let ours = expected;
    session.await(
      () => `merging ${count} updates v${version}`,
      (got) => {
        ours = got;
        return sameMeaning(expected, version)(got);
      },
    );
    this.tools(rng, expected, version);
    session.flush();
    this.operations++;
    this.send(replica, replica.apply(new Uint8Array(ours), version, 'merged updates'));
  }

  // Work on an update without a document.
  tools(rng, update, version) {
    const { session } = this;
    const vector =
      version === 1
        ? Y.encodeStateVectorFromUpdate(update)
        : Y.encodeStateVectorFromUpdateV2(update);
    session.u(C.vectorOf).u(version).bytes(update);
    session.awaitBytes(() => `state vector of an update v${version}`, vector);
    const have = Y.encodeStateVector(rng.pick(this.replicas).doc);
    const diff = (version === 1 ? Y.diffUpdate : Y.diffUpdateV2)(update, have);
    session.u(C.diff).u(version).bytes(update).bytes(have);
    session.await(() => `difference of an update v${version}`, sameMeaning(diff, version));
    const converted = (version === 1 ? Y.convertUpdateFormatV1ToV2 : Y.convertUpdateFormatV2ToV1)(
      update,
    );
    session.u(C.convert).u(version).bytes(update);
    session.await(
      () => `an update v${version} in the other format`,
      sameMeaning(converted, 3 - version),
    );
  }

  // The document goes through storage: a new one made of its bytes.
  reload(rng, replica) {
    if (replica.undo) return;
    const version = rng.between(1, 2);
    const update = replica.encode(version);
    const before = replica.doc.clientID;
    replica.doc.destroy();
    replica.open(this.freshClient());
    this.send(replica, replica.apply(update, version, 'what was stored'));
    replica.check();
    if (rng.chance(1, 2) && !this.lostOwn(replica, before)) replica.setClient(before);
  }

  // Whether others have operations of `client` that the replica itself has not: then the id must
  // not be used again.
  lostOwn(replica, client) {
    const has = Y.getState(replica.doc.store, client);
    return this.replicas.some((other) => Y.getState(other.doc.store, client) > has);
  }

  client(rng, replica) {
    replica.setClient(this.freshClient());
  }

  check(rng, replica) {
    replica.check();
  }

  undo(rng, replica) {
    this.operations++;
    this.send(replica, replica.undo.step(rng));
  }

  history(rng, replica) {
    lookBack(rng, replica);
  }

  place(rng, replica) {
    place(rng, replica, rng.pick(this.replicas), this.profile);
  }

  // --- the end ----------------------------------------------------------------------------------

  // Everything arrives, twice around because cleaning up formats after an arrival is a change too.
  settle() {
    this.session.step = 'settling';
    for (let round = 0; round < 12; round++) {
      const version = 1 + (round % 2);
      for (const from of this.replicas) {
        for (const to of this.replicas) if (from !== to) this.bring(from, to, version);
      }
      if (this.settled()) break;
    }
    for (const replica of this.replicas) replica.check();
    this.session.flush();
    return this.settled() || this.replicas.length === 1;
  }

  settled() {
    const [first, ...others] = this.replicas.map((replica) =>
      Y.encodeSnapshot(Y.snapshot(replica.doc)),
    );
    return others.every((other) => Buffer.compare(first, other) === 0);
  }

  close() {
    for (const replica of this.replicas) replica.close();
    this.session.flush();
  }
}
