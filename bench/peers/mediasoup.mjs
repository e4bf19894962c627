// mediasoup.mjs PORT MODULE WORKER_PORT: mediasoup behind WHIP and WHEP, for the bench: one router on one worker, all
// sessions behind one UDP port (its WebRtcServer). MODULE is the installed package; MEDIASOUP_WORKER_BIN its worker.
import { createRequire } from 'node:module';

import { listen, readSdp, writeSdp } from './whip.mjs';

const [port, module, workerPort] = process.argv.slice(2);
const mediasoup = createRequire(import.meta.url)(module);
const OPUS = 111;
const VP8 = 96;
const RTX = 97;
const mediaCodecs = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    clockRate: 48000,
    channels: 2,
    preferredPayloadType: OPUS,
  },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90000, preferredPayloadType: VP8 },
];

const worker = await mediasoup.createWorker({ logLevel: 'warn' });
worker.on('died', () => process.exit(1));
const webRtcServer = await worker.createWebRtcServer({
  listenInfos: [{ protocol: 'udp', ip: '127.0.0.1', port: Number(workerPort) }],
});
const router = await worker.createRouter({ mediaCodecs });
const producers = [];

async function connect(offer) {
  const transport = await router.createWebRtcTransport({
    webRtcServer,
    initialAvailableOutgoingBitrate: 10_000_000,
  });
  const { hash, fingerprint } = offer.transport;
  await transport.connect({
    dtlsParameters: { role: 'client', fingerprints: [{ algorithm: hash, value: fingerprint }] },
  });
  const ours = transport.dtlsParameters.fingerprints.find((each) => each.algorithm === 'sha-256');
  return [
    transport,
    {
      ufrag: transport.iceParameters.usernameFragment,
      pwd: transport.iceParameters.password,
      hash: ours.algorithm,
      fingerprint: ours.value,
      setup: 'passive',
      candidates: transport.iceCandidates.map(
        (each) => `${each.foundation} 1 udp ${each.priority} ${each.ip} ${each.port} typ host`,
      ),
    },
  ];
}

const feedbackOf = (kind) =>
  kind === 'audio'
    ? [{ type: 'transport-cc' }]
    : [
        { type: 'nack' },
        { type: 'nack', parameter: 'pli' },
        { type: 'ccm', parameter: 'fir' },
        { type: 'transport-cc' },
      ];

// In the names mediasoup has for a codec: as the peer's offer has it.
const codecOf = (kind) =>
  kind === 'audio'
    ? {
        mimeType: 'audio/opus',
        payloadType: OPUS,
        clockRate: 48000,
        channels: 2,
        rtcpFeedback: feedbackOf(kind),
      }
    : { mimeType: 'video/VP8', payloadType: VP8, clockRate: 90000, rtcpFeedback: feedbackOf(kind) };
const rtxCodec = {
  mimeType: 'video/rtx',
  payloadType: RTX,
  clockRate: 90000,
  parameters: { apt: VP8 },
};

async function publish(text) {
  const offer = readSdp(text);
  const [transport, ours] = await connect(offer);
  const answered = [];
  for (const line of offer.media) {
    const known = new Set(router.rtpCapabilities.headerExtensions.map((each) => each.uri));
    const extensions = line.extensions.filter((each) => known.has(each.uri));
    const encoding = line.rtxSsrc
      ? { ssrc: line.ssrc, rtx: { ssrc: line.rtxSsrc } }
      : { ssrc: line.ssrc };
    const rtpParameters = {
      mid: line.mid,
      codecs: line.rtxSsrc ? [codecOf(line.kind), rtxCodec] : [codecOf(line.kind)],
      headerExtensions: extensions,
      encodings: [encoding],
      rtcp: { cname: 'footlight', reducedSize: true },
    };
    producers.push(await transport.produce({ kind: line.kind, rtpParameters }));
    const type = line.kind === 'audio' ? OPUS : VP8;
    answered.push({
      kind: line.kind,
      mid: line.mid,
      sends: false,
      type,
      rtxType: line.rtxSsrc && RTX,
      extensions,
    });
  }
  return writeSdp(ours, answered);
}

async function watch(text) {
  const offer = readSdp(text);
  const [transport, ours] = await connect(offer);
  const rtpCapabilities = {
    codecs: router.rtpCapabilities.codecs.map((codec) => ({ ...codec })),
    headerExtensions: router.rtpCapabilities.headerExtensions,
  };
  const used = new Set();
  const answered = [];
  for (const line of offer.media) {
    const producer = producers.find((each) => each.kind === line.kind && !used.has(each));
    if (!producer) throw new Error('nothing to watch');
    used.add(producer);
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities,
      mid: line.mid,
    });
    const { codecs, encodings, headerExtensions } = consumer.rtpParameters;
    answered.push({
      kind: line.kind,
      mid: line.mid,
      sends: true,
      type: codecs[0].payloadType,
      rtxType: codecs[1]?.payloadType,
      ssrc: encodings[0].ssrc,
      rtxSsrc: encodings[0].rtx?.ssrc,
      extensions: headerExtensions.map(({ id, uri }) => ({ id, uri })),
    });
  }
  return writeSdp(ours, answered);
}

listen(Number(port), { publish, watch, pid: () => worker.pid });
