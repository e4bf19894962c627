// A client of a board in C++ (tests/scenarios/board_pen.cc): a line in, a line out.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { footlight_bin } from './real_node.mjs';

const program = join(dirname(footlight_bin), '../../tests/scenarios/board_pen');
export const has_pen = () => existsSync(program);

export class Pen {
  static start(port, episode, board, token) {
    const pen = new Pen();
    pen.child = spawn(program, [String(port), episode, board, token], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    pen.waiting = [];
    createInterface({ input: pen.child.stdout }).on('line', (line) => pen.waiting.shift()?.(line));
    return pen;
  }
  say(line) {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin.write(line + '\n');
    });
  }
  end() {
    this.child.stdin.end();
  }
}
