// Run as a process of its own, in a cgroup of the test's choice: connects over and over, to another port each time, and
// wants back the number of the port that it asked for. Ends with its standard input, and tells what it saw.

import { connect } from 'node:net';

export interface LoopReport {
  readonly connections: number;
  /** Of each connection that got another answer: the port, and what came instead. */
  readonly wrong: readonly string[];
}

const AT_A_TIME = 4;
/** For documentation (RFC 5737): nobody is there, so that only a redirected connection is answered. */
const ADDRESS = '198.51.100.7';

let isOver = false;
let connections = 0;
const wrong: string[] = [];

process.stdin.on('end', () => {
  isOver = true;
});
process.stdin.resume();

await Promise.all(Array.from({ length: AT_A_TIME }, loop));
process.stdout.write(JSON.stringify({ connections, wrong } satisfies LoopReport));

async function loop(): Promise<void> {
  while (!isOver) {
    const port = 1 + (connections++ % 60_000);
    const answer = await ask(port);
    if (answer !== String(port)) wrong.push(`${port}: ${answer}`);
  }
}

function ask(port: number): Promise<string> {
  return new Promise((answered) => {
    let text = '';
    const socket = connect(port, ADDRESS);
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', (error) => answered(error.message));
    socket.on('close', () => answered(text));
  });
}
