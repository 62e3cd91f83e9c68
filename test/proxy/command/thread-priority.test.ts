import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const module = join(import.meta.dirname, '../../../proxy/command/thread-priority.ts');

// In a process of its own: what a thread gives up it may not take back. It has its priority from when it runs: started with
// it, and beside two busy loops, the three took more than a minute and a half.
const program = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { getPriority, setPriority } from 'node:os';
  import { Worker } from 'node:worker_threads';
  import { giveWayToWorkers } from ${JSON.stringify(module)};
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  worker.once('online', () => {
    const start = Math.max(getPriority(), Number(process.argv[1]));
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), start);
    giveWayToWorkers();
    const nices = readdirSync('/proc/self/task').map((thread) => {
      const [, name, rest] = readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').match(/^\\d+ \\((.*)\\) (.*)$/s);
      const givesWay = Number(thread) === process.pid || name === 'V8Worker';
      return [givesWay, Number(rest.split(' ')[16])];
    });
    console.log(JSON.stringify(nices));
    process.exit();
  });
`;

for (const start of [0, 7, 17]) {
  t.test(`the calling thread and those of V8 give way, and no other, in a process of nice ${start}`, async (t) => {
    const args = ['--input-type=module', '-e', program, String(start)];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    const nices = JSON.parse(output) as readonly (readonly [givesWay: boolean, nice: number])[];
    const [lower, others] = [true, false].map((way) => nices.filter(([givesWay]) => givesWay === way));
    t.ok(lower!.length > 1, 'one that calls, and some of V8');
    t.ok(others!.length > 0);
    const [[, before]] = others as [readonly [boolean, number]];
    t.ok(before >= start, 'it was there');
    for (const [, nice] of others!) t.equal(nice, before);
    for (const [, nice] of lower!) t.equal(nice, Math.min(before + 5, 19));
  });
}
