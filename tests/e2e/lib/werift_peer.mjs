// Somebody with a WebRTC stack written in TypeScript (werift): publishes by WHIP, watches by WHEP.
export const load_werift = () => import('werift').catch(() => null);

const kHead = [0x9d, 0x01, 0x2a, 64, 0, 48, 0]; // of a key frame of VP8: start code, 64 by 48

/** `werift`: its module. */
export class WeriftPeer {
  got = { audio: [], video: [] }; // payloads and sequence numbers, as they came
  #timer;

  constructor(werift, address, token) {
    this.werift = werift;
    this.address = address;
    this.token = token;
    const codec = (mimeType, clockRate, more) =>
      new werift.RTCRtpCodecParameters({ mimeType, clockRate, ...more });
    const feedback = [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }];
    this.pc = new werift.RTCPeerConnection({
      codecs: {
        audio: [codec('audio/opus', 48_000, { channels: 2 })],
        video: [codec('video/VP8', 90_000, { rtcpFeedback: feedback })],
      },
      iceUseIpv6: false,
      iceAdditionalHostAddresses: ['127.0.0.1'],
    });
  }

  async publish(path) {
    this.tracks = {};
    for (const kind of ['audio', 'video']) {
      this.tracks[kind] = new this.werift.MediaStreamTrack({ kind });
      this.pc.addTransceiver(this.tracks[kind], { direction: 'sendonly' });
    }
    await this.#negotiate(path);
    this.sent = 0;
    this.#timer = setInterval(() => this.#send(), 20);
  }

  async watch(path) {
    for (const kind of ['audio', 'video']) {
      const transceiver = this.pc.addTransceiver(kind, { direction: 'recvonly' });
      transceiver.onTrack.subscribe((track) =>
        track.onReceiveRtp.subscribe((rtp) =>
          this.got[kind].push({ payload: rtp.payload, sequence: rtp.header.sequenceNumber }),
        ),
      );
    }
    await this.#negotiate(path);
  }

  async #negotiate(path) {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const answer = await fetch(`${this.address}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/sdp' },
      body: this.pc.localDescription.sdp,
    });
    const sdp = await answer.text();
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${sdp}`);
    this.location = new URL(answer.headers.get('location'), this.address);
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
  }

  /** A voice packet that says its number, and a key frame of one packet. */
  #send() {
    const { RtpPacket, RtpHeader } = this.werift;
    const n = ++this.sent;
    const write = (kind, ssrc, step, marker, payload) => {
      const header = new RtpHeader({
        ssrc,
        marker,
        payloadType: kind === 'audio' ? 96 : 97,
        sequenceNumber: n & 0xffff,
        timestamp: n * step,
      });
      this.tracks[kind].writeRtp(new RtpPacket(header, payload).serialize());
    };
    const voice = Buffer.alloc(60, 7);
    voice.writeUInt32BE(n, 0);
    write('audio', 1, 960, false, voice);
    const picture = Buffer.alloc(200, 3);
    Buffer.from([0x90, 0x80, 0x80 | ((n >> 8) & 0x7f), n & 0xff, 0x10, 0, 0, ...kHead]).copy(
      picture,
    );
    write('video', 2, 1800, true, picture);
  }

  async close() {
    clearInterval(this.#timer);
    const ended = this.location && (await fetch(this.location, { method: 'DELETE' })).status;
    await this.pc.close();
    return ended;
  }
}
