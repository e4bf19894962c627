// A small object store that speaks as much of the S3 API as a pusher uses. It checks each signature by AWS's rules
// with node's own crypto, and that no playlist names media that are not there. It can be told to misbehave.
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';

const hash = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

export class Bucket {
  objects = new Map();
  /** What a healthy store must never see. */
  faults = [];
  /** 'ok', 'refuse', 'slow', 'garbage', 'full', 'hang_up' */
  mood = 'ok';
  requests = 0;

  static async start(port, secret) {
    const bucket = new Bucket();
    bucket.secret = secret;
    bucket.address = `http://127.0.0.1:${port}`;
    bucket.server = createServer((request, response) => bucket.#take(request, response));
    await new Promise((resolve) => bucket.server.listen(port, '127.0.0.1', resolve));
    return bucket;
  }
  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
  /** The address of an object for players, who send no signature. */
  url(key) {
    return `${this.address}/shows/${key}`;
  }

  async #take(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const key = decodeURIComponent(request.url.replace(/^\/shows\//, ''));
    if (request.method === 'OPTIONS' || request.method === 'GET') return this.#give(key, response);
    this.requests++;
    if (this.mood === 'hang_up') return request.socket.destroy();
    if (this.mood === 'garbage') {
      request.socket.end('\0\0 this is no HTTP \xff\r\n\r\n');
      return;
    }
    if (this.mood === 'slow') await new Promise((resolve) => setTimeout(resolve, 1500));
    if (this.mood === 'refuse' || this.mood === 'full') {
      response.writeHead(this.mood === 'full' ? 507 : 403, { 'content-type': 'application/xml' });
      const code = this.mood === 'full' ? 'XMinioStorageFull' : 'AccessDenied';
      return response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
    }
    const wrong = this.#check(request, body);
    if (wrong) {
      this.faults.push(`${request.method} ${key}: ${wrong}`);
      response.writeHead(403);
      return response.end('<Error><Code>SignatureDoesNotMatch</Code></Error>');
    }
    if (request.method === 'DELETE') {
      this.objects.delete(key);
      response.writeHead(204);
      return response.end();
    }
    this.objects.set(key, {
      body,
      type: request.headers['content-type'],
      cache: request.headers['cache-control'],
    });
    if (key.endsWith('.m3u8')) this.#names(key, body.toString());
    response.writeHead(200, { etag: `"${hash(body)}"` });
    response.end();
  }

  #give(key, response) {
    const object = this.objects.get(key);
    response.writeHead(object ? 200 : 404, {
      'access-control-allow-origin': '*',
      ...(object && { 'content-type': object.type, 'cache-control': object.cache }),
    });
    response.end(object?.body);
  }

  #check(request, body) {
    const { headers } = request;
    const [, credential, signed, signature] =
      /^AWS4-HMAC-SHA256 Credential=feed\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
        headers.authorization ?? '',
      ) ?? [];
    if (!credential) return 'no signature';
    if (hash(body) !== headers['x-amz-content-sha256']) return 'hash of the body';
    const [day, region, service, end] = credential.split('/');
    const at = headers['x-amz-date'] ?? '';
    if (!at.startsWith(day) || service !== 's3' || end !== 'aws4_request') return 'scope';
    const sent_ms = Date.parse(
      at.replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z'),
    );
    if (Math.abs(Date.now() - sent_ms) > 60_000) return 'date';
    for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date']) {
      if (!signed.split(';').includes(name)) return `${name} is not signed`;
    }
    const lines = signed.split(';').map((name) => `${name}:${headers[name].trim()}\n`);
    const canonical = [
      request.method,
      request.url,
      '',
      lines.join(''),
      signed,
      headers['x-amz-content-sha256'],
    ].join('\n');
    const text = ['AWS4-HMAC-SHA256', at, credential, hash(canonical)].join('\n');
    let key = `AWS4${this.secret}`;
    for (const step of [day, region, service, end]) key = hmac(key, step);
    return hmac(key, text).toString('hex') === signature ? '' : 'signature';
  }

  /** A playlist that came names only what is there, or says that it is not. */
  #names(key, text) {
    let gap = false;
    for (const line of text.split('\n')) {
      if (line === '#EXT-X-GAP') gap = true;
      const uri =
        line.startsWith('#EXT-X-PART:') || line.startsWith('#EXT-X-MAP:')
          ? /URI="([^"]+)"/.exec(line)?.[1]
          : line.startsWith('#')
            ? ''
            : line;
      if (!uri) continue;
      const there = this.objects.has(new URL(uri, `http://x/${key}`).pathname.slice(1));
      if (!there && !gap && !line.includes('GAP=YES')) this.faults.push(`${key} names ${uri}`);
      if (!line.startsWith('#')) gap = false;
    }
  }
}
