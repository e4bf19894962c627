// What the bench's adapters of other servers share: a listener for WHIP and WHEP, and as much of SDP as `footlight load
// media` offers and reads (one transport, one codec of each kind).
import http from 'node:http';

// { transport: {ufrag, pwd, hash, fingerprint, setup}, media: [{kind, mid, sends, ssrc, rtxSsrc, extensions: [{id, uri}]}] }
export function readSdp(text) {
  const transport = {};
  const media = [];
  for (const line of text.split(/\r?\n/)) {
    const at = (prefix) => (line.startsWith(prefix) ? line.slice(prefix.length) : undefined);
    const last = media.at(-1);
    let value;
    if ((value = at('m=')))
      media.push({
        kind: value.split(' ')[0],
        mid: '',
        sends: true,
        extensions: [],
        candidates: [],
      });
    else if ((value = at('a=ice-ufrag:'))) transport.ufrag = value;
    else if ((value = at('a=ice-pwd:'))) transport.pwd = value;
    else if ((value = at('a=fingerprint:')))
      [transport.hash, transport.fingerprint] = value.split(' ');
    else if ((value = at('a=setup:'))) transport.setup = value;
    else if (!last) continue;
    else if ((value = at('a=mid:'))) last.mid = value;
    else if (line === 'a=recvonly') last.sends = false;
    else if ((value = at('a=candidate:'))) last.candidates.push(value);
    else if ((value = at('a=ssrc-group:FID ')))
      [last.ssrc, last.rtxSsrc] = value.split(' ').map(Number);
    else if ((value = at('a=ssrc:'))) last.ssrc ??= Number(value.split(' ')[0]);
    else if ((value = at('a=extmap:'))) {
      const [id, uri] = value.split(' ');
      last.extensions.push({ id: Number.parseInt(id), uri });
    }
  }
  return { transport, media };
}

const FEEDBACK = {
  audio: ['transport-cc', 'nack'],
  video: ['transport-cc', 'nack', 'nack pli', 'ccm fir'],
};

// `transport` as readSdp() has it, with candidates ("foundation 1 udp priority ip port typ host"); of each m-line
// `type` and, where the server sends, `ssrc`; `rtxType` and `rtxSsrc` where it repeats by RTX.
export function writeSdp(transport, media, lite = true) {
  const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0'];
  if (lite) lines.push('a=ice-lite');
  lines.push(`a=group:BUNDLE ${media.map((each) => each.mid).join(' ')}`);
  for (const each of media) {
    const types = each.rtxType ? `${each.type} ${each.rtxType}` : each.type;
    lines.push(
      `m=${each.kind} 9 UDP/TLS/RTP/SAVPF ${types}`,
      'c=IN IP4 0.0.0.0',
      `a=mid:${each.mid}`,
    );
    lines.push(`a=ice-ufrag:${transport.ufrag}`, `a=ice-pwd:${transport.pwd}`);
    lines.push(
      `a=fingerprint:${transport.hash} ${transport.fingerprint}`,
      `a=setup:${transport.setup}`,
    );
    for (const candidate of transport.candidates) lines.push(`a=candidate:${candidate}`);
    for (const { id, uri } of each.extensions) lines.push(`a=extmap:${id} ${uri}`);
    lines.push(each.sends ? 'a=sendonly' : 'a=recvonly', 'a=rtcp-mux', 'a=rtcp-rsize');
    lines.push(`a=rtpmap:${each.type} ${each.kind === 'audio' ? 'opus/48000/2' : 'VP8/90000'}`);
    for (const feedback of FEEDBACK[each.kind]) lines.push(`a=rtcp-fb:${each.type} ${feedback}`);
    if (each.rtxType)
      lines.push(`a=rtpmap:${each.rtxType} rtx/90000`, `a=fmtp:${each.rtxType} apt=${each.type}`);
    if (!each.ssrc) continue;
    if (each.rtxSsrc) lines.push(`a=ssrc-group:FID ${each.ssrc} ${each.rtxSsrc}`);
    lines.push(`a=ssrc:${each.ssrc} cname:peer`);
    if (each.rtxSsrc) lines.push(`a=ssrc:${each.rtxSsrc} cname:peer`);
  }
  return lines.join('\r\n') + '\r\n';
}

// `publish` and `watch` take an offer and answer an answer. GET /pid answers `pid()`.
export function listen(port, { publish, watch, pid }) {
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') return response.end(String(pid()));
    if (request.method === 'DELETE') return response.end();
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', async () => {
      try {
        const answer = await (request.url === '/whip' ? publish : watch)(body);
        response.writeHead(201, { 'Content-Type': 'application/sdp', Location: '/session' });
        response.end(answer);
      } catch (error) {
        response.writeHead(500);
        response.end(String(error?.message ?? error));
      }
    });
  });
  server.listen(port, '127.0.0.1');
}
