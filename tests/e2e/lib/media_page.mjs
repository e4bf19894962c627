// A script, not a module: media.mjs runs its text inside pages. Publishing by WHIP and watching by WHEP
// with nothing but the browser's own API.
const sessions = {};

async function negotiate(name, pc, url, token) {
  const began = performance.now();
  await pc.setLocalDescription();
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: pc.localDescription.sdp,
  });
  if (response.status !== 201) return { status: response.status, body: await response.text() };
  const answer = await response.text();
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  sessions[name] = {
    pc,
    answer,
    began,
    location: response.headers.get('location'),
    etag: response.headers.get('etag'),
  };
  return { status: 201, location: sessions[name].location };
}

async function sending(simulcast, codec) {
  const stream = await navigator.mediaDevices.getUserMedia({
    // As it is: the browser takes a tone for noise and would silence it.
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    video: { width: 640, height: 360, frameRate: 30 },
  });
  const pc = new RTCPeerConnection();
  pc.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly', streams: [stream] });
  const picture = pc.addTransceiver(stream.getVideoTracks()[0], {
    direction: 'sendonly',
    streams: [stream],
    sendEncodings: simulcast
      ? [
          { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 120_000 },
          { rid: 'h', maxBitrate: 900_000 },
        ]
      : [{ maxBitrate: 900_000 }],
  });
  if (codec) {
    const all = RTCRtpSender.getCapabilities('video').codecs;
    picture.setCodecPreferences(all.filter(({ mimeType }) => mimeType === `video/${codec}`));
  }
  return pc;
}
function receiving() {
  const pc = new RTCPeerConnection();
  const video = document.createElement('video');
  video.autoplay = true;
  video.srcObject = new MediaStream();
  document.body.append(video);
  pc.ontrack = ({ track }) => video.srcObject.addTrack(track);
  return { pc, video };
}
const gathered = (pc) =>
  new Promise((resolve) => {
    const look = () => pc.iceGatheringState === 'complete' && resolve(pc.localDescription.sdp);
    pc.onicegatheringstatechange = look;
    look();
  });

window.media = {
  /** `codec`: "VP8" and so on; null: what the browser prefers. */
  async publish(url, token, simulcast = false, codec = null) {
    return negotiate('publish', await sending(simulcast, codec), url, token);
  },
  async watch(url, token) {
    const { pc, video } = receiving();
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const result = await negotiate('watch', pc, url, token);
    void first.then(() => {
      sessions.watch.first_frame_ms = performance.now() - sessions.watch.began;
    });
    return result;
  },
  /** From page to page, without a server: the offer, its answer, the answer taken. */
  async offer() {
    const pc = await sending(false, null);
    sessions.publish = { pc };
    await pc.setLocalDescription();
    return gathered(pc);
  },
  async answer(sdp) {
    const { pc } = receiving();
    sessions.watch = { pc };
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await pc.setLocalDescription();
    return gathered(pc);
  },
  async accept(sdp) {
    await sessions.publish.pc.setRemoteDescription({ type: 'answer', sdp });
  },
  async stats(name) {
    const { pc, first_frame_ms } = sessions[name];
    const out = { state: pc.connectionState, first_frame_ms: first_frame_ms ?? null };
    for (const it of (await pc.getStats()).values()) {
      if (it.type === 'inbound-rtp' && it.kind === 'video') {
        out.frames = it.framesDecoded ?? 0;
        out.width = it.frameWidth ?? 0;
        out.freezes = it.freezeCount ?? 0;
        out.lost = it.packetsLost ?? 0;
      }
      if (it.type === 'inbound-rtp' && it.kind === 'audio') {
        out.energy = it.totalAudioEnergy ?? 0;
        out.audio_packets = it.packetsReceived ?? 0;
      }
      if (it.type === 'outbound-rtp' && it.kind === 'video') {
        out.sent_frames = Math.max(out.sent_frames ?? 0, it.framesEncoded ?? 0);
      }
    }
    return out;
  },
  /** A new ICE generation, by a fragment. */
  async restart_ice(name) {
    const session = sessions[name];
    session.pc.restartIce();
    await session.pc.setLocalDescription();
    const offer = session.pc.localDescription.sdp;
    const line = (text, key) => text.match(new RegExp(`a=${key}:.*`))[0];
    const response = await fetch(session.location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': session.etag },
      body: `${line(offer, 'ice-ufrag')}\r\n${line(offer, 'ice-pwd')}\r\n`,
    });
    if (response.status !== 200) return response.status;
    const fragment = await response.text();
    session.etag = response.headers.get('etag');
    for (const key of ['ice-ufrag', 'ice-pwd']) {
      session.answer = session.answer.replaceAll(
        new RegExp(`a=${key}:.*`, 'g'),
        line(fragment, key).trim(),
      );
    }
    await session.pc.setRemoteDescription({ type: 'answer', sdp: session.answer });
    return 200;
  },
  async end(name) {
    return (await fetch(sessions[name].location, { method: 'DELETE' })).status;
  },
};
