// A cable for datagrams that can be pulled: each peer gets a socket of its own towards the node.
import { createSocket } from 'node:dgram';

export class UdpCable {
  #near = createSocket('udp4');
  #far = new Map();
  #pulled = false;
  #cut = new Set();

  static async lay(port, to_port, host = '127.0.0.1') {
    const cable = new UdpCable();
    cable.port = port;
    cable.#near.on('message', (datagram, { address, port: from }) => {
      const key = `${address} ${from}`;
      if (cable.#pulled || cable.#cut.has(key)) return;
      let far = cable.#far.get(key);
      if (!far) {
        far = createSocket('udp4');
        far.on('error', () => {});
        far.on('message', (answer) => {
          if (!cable.#pulled && !cable.#cut.has(key)) cable.#near.send(answer, from, address);
        });
        cable.#far.set(key, far);
      }
      far.send(datagram, to_port, '127.0.0.1');
    });
    await new Promise((resolve, reject) => {
      cable.#near.once('error', reject);
      cable.#near.bind(port, host, resolve);
    });
    return cable;
  }
  pull() {
    this.#pulled = true;
  }
  plug() {
    this.#pulled = false;
    this.#cut.clear();
  }
  /** Everybody who has sent something by now. */
  peers() {
    return new Set(this.#far.keys());
  }
  /** Pulled for all but these, until it is plugged again; who comes later is not cut off. */
  pull_but(peers) {
    for (const key of this.#far.keys()) if (!peers.has(key)) this.#cut.add(key);
  }
  remove() {
    for (const far of this.#far.values()) far.close();
    this.#near.close();
  }
}
