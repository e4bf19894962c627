// A cable for datagrams that can be pulled: each peer gets a socket of its own towards the node.
import { createSocket } from 'node:dgram';

export class UdpCable {
  #near = createSocket('udp4');
  #far = new Map();
  #pulled = false;

  static async lay(port, to_port) {
    const cable = new UdpCable();
    cable.port = port;
    cable.#near.on('message', (datagram, { address, port: from }) => {
      if (cable.#pulled) return;
      const key = `${address} ${from}`;
      let far = cable.#far.get(key);
      if (!far) {
        far = createSocket('udp4');
        far.on('error', () => {});
        far.on('message', (answer) => {
          if (!cable.#pulled) cable.#near.send(answer, from, address);
        });
        cable.#far.set(key, far);
      }
      far.send(datagram, to_port, '127.0.0.1');
    });
    await new Promise((resolve, reject) => {
      cable.#near.once('error', reject);
      cable.#near.bind(port, '127.0.0.1', resolve);
    });
    return cable;
  }
  pull() {
    this.#pulled = true;
  }
  plug() {
    this.#pulled = false;
  }
  remove() {
    for (const far of this.#far.values()) far.close();
    this.#near.close();
  }
}
