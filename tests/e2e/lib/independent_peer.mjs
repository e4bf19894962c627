// Somebody at the table with another WebRTC stack (libdatachannel, by node-datachannel): a session by WebSocket, a
// peer connection opened in it, and a second session over its data channel.
import WebSocket from 'ws';

export const load_stack = () =>
  import('node-datachannel').then(
    (it) => it.default ?? it,
    () => null,
  );

/** Messages in the order of arrival, and a wait for the next of a type. */
class Inbox {
  all = [];
  #waiting = [];
  put(message) {
    this.all.push(message);
    this.#waiting = this.#waiting.filter(
      ({ holds, resolve }) => !holds(message) || resolve(message),
    );
  }
  next(holds, wait_ms = 10_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('nothing of the kind came')), wait_ms);
      this.#waiting.push({ holds, resolve: (it) => (clearTimeout(timer), resolve(it), false) });
    });
  }
  of(type, wait_ms) {
    return this.next((it) => it.t === type, wait_ms);
  }
}

const hello = (token, cid) => JSON.stringify({ t: 'hello', v: 1, token, cid });

export class IndependentPeer {
  static async join(stack, address, token) {
    const peer = new IndependentPeer();
    peer.cid = [...crypto.getRandomValues(new Uint8Array(8))]
      .map((it) => it.toString(16).padStart(2, '0'))
      .join('');
    peer.socket = new WebSocket(`${address.replace('http', 'ws')}/v1/ws`, 'footlight.v1');
    peer.by_socket = new Inbox();
    peer.socket.on('message', (data) => peer.by_socket.put(JSON.parse(String(data))));
    await new Promise((resolve) => peer.socket.once('open', resolve));
    const welcome = peer.by_socket.of('welcome');
    peer.socket.send(hello(token, peer.cid));
    await welcome;
    await peer.#connect(stack, token);
    return peer;
  }

  async #connect(stack, token) {
    const pc = new stack.PeerConnection('peer', { iceServers: [], bindAddress: '127.0.0.1' });
    this.pc = pc;
    const audio = new stack.Audio('0', 'RecvOnly');
    audio.addOpusCodec(111);
    this.track = pc.addTrack(audio);
    // The channel sets off the offer.
    const gathered = new Promise((resolve) =>
      pc.onGatheringStateChange((state) => state === 'complete' && resolve()),
    );
    this.channel = pc.createDataChannel('footlight.v1', { protocol: 'footlight.v1' });
    this.by_channel = new Inbox();
    this.parts = [];
    this.channel.onMessage((data) => this.#message(data));
    const opened = new Promise((resolve) => this.channel.onOpen(resolve));
    this.closed = new Promise((resolve) => this.channel.onClosed(resolve));
    await gathered;
    const answer = this.by_socket.of('media');
    const { sdp } = pc.localDescription();
    this.socket.send(JSON.stringify({ t: 'media.open', n: 1, use: 'watch', sdp }));
    pc.setRemoteDescription((await answer).sdp, 'answer');
    await opened;
    const welcome = this.by_channel.of('welcome');
    this.channel.sendMessage(hello(token, this.cid));
    await welcome;
  }

  #message(data) {
    if (typeof data === 'string') return this.by_channel.put(JSON.parse(data));
    const bytes = Buffer.from(data);
    if (bytes[0] !== 2) return this.by_channel.put({ t: 'binary', bytes });
    this.parts.push(bytes.subarray(2));
    if (bytes[1] === 0) return;
    this.by_channel.put({
      ...JSON.parse(Buffer.concat(this.parts).toString()),
      parts: this.parts.length,
    });
    this.parts = [];
  }

  send(message) {
    this.channel.sendMessage(JSON.stringify(message));
  }
  roll(i) {
    const e = [{ i, k: 'dice.roll', a: { expr: '1d20', nonce: `${i}`.padStart(32, 'ab') } }];
    const confirmed = this.by_channel.next((it) => it.confirmed?.some((one) => one.i === i));
    this.send({ t: 'ev', e });
    return confirmed;
  }
  close() {
    this.channel.close();
    this.pc.close();
    this.socket.close();
  }
}
