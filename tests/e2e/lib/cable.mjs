// A cable between a browser and the node that can be pulled: a TCP proxy on a port of its own.
import { connect, createServer } from 'node:net';

export class Cable {
  #sockets = new Set();
  #pulled = false;

  static async lay(port, to_port) {
    const cable = new Cable();
    cable.port = port;
    cable.address = `http://127.0.0.1:${port}`;
    cable.server = createServer((near) => {
      if (cable.#pulled) {
        near.destroy();
        return;
      }
      const far = connect(to_port, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        cable.#sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          cable.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    await new Promise((resolve, reject) => {
      cable.server.once('error', reject);
      cable.server.listen(port, '127.0.0.1', resolve);
    });
    return cable;
  }
  pull() {
    this.#pulled = true;
    for (const socket of this.#sockets) socket.destroy();
  }
  plug() {
    this.#pulled = false;
  }
  async remove() {
    this.pull();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
