// Who publishes as OBS 31 and 32 do by WHIP, with OBS' own WebRTC stack (libdatachannel, by node-datachannel): H264 in
// several encodings on one m-line, each an SSRC with a rid in every packet; rid 0 is the largest and named first; what is
// asked for again is not sent again, and key frames come when the encoder makes them.
const kSizes = [1100, 700, 300]; // of a packet, by rid
const kMid = 1;
const kRid = 2;
const kPayload = 96;

export class ObsPeer {
  static async publish(stack, url, token) {
    const peer = new ObsPeer();
    const pc = new stack.PeerConnection('obs', { iceServers: [], bindAddress: '127.0.0.1' });
    peer.pc = pc;
    const video = new stack.Video('1', 'SendOnly');
    video.addH264Codec(kPayload);
    peer.base = 0x5000;
    video.addSSRC(peer.base, 'obs', 'stream', 'stream-video');
    peer.track = pc.addTrack(video);
    peer.open = new Promise((resolve) => peer.track.onOpen(resolve));
    const gathered = new Promise((resolve) =>
      pc.onGatheringStateChange((state) => state === 'complete' && resolve()),
    );
    pc.setLocalDescription('offer');
    await gathered;
    const answered = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
      body: with_rids(pc.localDescription().sdp),
    });
    peer.status = answered.status;
    peer.answer = await answered.text();
    // OBS takes what does not begin with "http" for a path on the endpoint's host.
    peer.location = answered.headers.get('location');
    pc.setRemoteDescription(peer.answer, 'answer');
    await peer.open;
    peer.frame = 0;
    peer.timer = setInterval(() => peer.#frame(), 33);
    return peer;
  }

  #frame() {
    const key = this.frame % 30 === 0;
    for (let rid = 0; rid < kSizes.length; ++rid) {
      const bytes = Buffer.alloc(kSizes[rid], 0x55);
      bytes.writeUInt16BE(0x9000 | 0x80 | kPayload, 0); // version 2, an extension, the marker
      bytes.writeUInt16BE((1000 * rid + this.frame) & 0xffff, 2);
      bytes.writeUInt32BE(this.frame * 3000, 4);
      bytes.writeUInt32BE(this.base + rid, 8);
      bytes.writeUInt32BE(0xbede0001, 12);
      bytes.set([kMid << 4, 0x31, kRid << 4, 0x30 + rid], 16); // each one byte long
      bytes[20] = key ? 0x65 : 0x41;
      try {
        this.track.sendMessageBinary(bytes);
      } catch (error) {
        if (this.track.isOpen()) throw error;
        clearInterval(this.timer); // the server ended it
        return;
      }
    }
    ++this.frame;
  }

  close() {
    clearInterval(this.timer);
    this.pc.close();
  }
}

function with_rids(sdp) {
  const uri = 'urn:ietf:params:rtp-hdrext:sdes';
  const lines = [`a=extmap:${kMid} ${uri}:mid`, `a=extmap:${kRid} ${uri}:rtp-stream-id`];
  for (let rid = 0; rid < kSizes.length; ++rid) lines.push(`a=rid:${rid} send`);
  lines.push(`a=simulcast:send ${[...kSizes.keys()].join(';')}`);
  return `${sdp.trimEnd()}\r\n${lines.join('\r\n')}\r\n`;
}

/** A WHEP player of H264 on the same stack; `sizes` are those of the packets that came. */
export class ObsViewer {
  static async watch(stack, url, token) {
    const viewer = new ObsViewer();
    viewer.sizes = [];
    const pc = new stack.PeerConnection('viewer', { iceServers: [], bindAddress: '127.0.0.1' });
    viewer.pc = pc;
    const video = new stack.Video('0', 'RecvOnly');
    video.addH264Codec(kPayload);
    viewer.track = pc.addTrack(video);
    viewer.track.onMessage((data) => viewer.sizes.push(data.length));
    const gathered = new Promise((resolve) =>
      pc.onGatheringStateChange((state) => state === 'complete' && resolve()),
    );
    pc.setLocalDescription('offer');
    await gathered;
    const answered = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
      body: pc.localDescription().sdp,
    });
    viewer.status = answered.status;
    pc.setRemoteDescription(await answered.text(), 'answer');
    return viewer;
  }
  close() {
    this.pc.close();
  }
}
