import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const module = join(import.meta.dirname, '../../../proxy/command/thread-priority.ts');

// In a process of its own: what a thread gives up it may not take back.
const program = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { Worker } from 'node:worker_threads';
  import { giveWayToWorkers } from ${JSON.stringify(module)};
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  worker.once('online', () => {
    giveWayToWorkers();
    const nices = readdirSync('/proc/self/task').map((thread) => {
      const fields = readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').replace(/^.*\\) /s, '').split(' ');
      return [Number(thread) === process.pid, Number(fields[16])];
    });
    console.log(JSON.stringify(nices));
    process.exit();
  });
`;

for (const start of [0, 7, 17]) {
  t.test(`the calling thread gives way, and no other, in a process that starts at nice ${start}`, async (t) => {
    const command = [`-n${start}`, process.execPath, '--input-type=module', '-e', program];
    const output = execFileSync('nice', command, { encoding: 'utf8' });
    const nices = JSON.parse(output) as readonly (readonly [isMain: boolean, nice: number])[];
    const main = nices.find(([isMain]) => isMain)![1];
    const others = nices.filter(([isMain]) => !isMain).map(([, nice]) => nice);
    t.ok(others.length > 0);
    for (const nice of others) t.equal(main, Math.min(nice + 5, 19));
    t.ok(main >= Math.min(start + 5, 19), 'it was started there');
  });
}
