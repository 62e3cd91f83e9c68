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
      const kind = Number(thread) === process.pid ? 'calling' : name === 'V8Worker' ? 'v8' : 'other';
      return [kind, Number(rest.split(' ')[16])];
    });
    console.log(JSON.stringify(nices));
    process.exit();
  });
`;

for (const start of [0, 7, 12, 17]) {
  t.test(`the calling thread gives way, those of V8 to it, and no other, in a process of nice ${start}`, async (t) => {
    const args = ['--input-type=module', '-e', program, String(start)];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    const threads = JSON.parse(output) as readonly (readonly [kind: 'calling' | 'v8' | 'other', nice: number])[];
    const nicesOf = (wanted: string) => threads.filter(([kind]) => kind === wanted).map(([, nice]) => nice);
    const [before, ...others] = nicesOf('other') as [number, ...number[]];
    t.ok(before >= start, 'it was there');
    for (const nice of others) t.equal(nice, before);
    t.strictSame(nicesOf('calling'), [Math.min(before + 5, 19)]);
    const v8 = nicesOf('v8');
    t.ok(v8.length > 0, 'some of V8');
    for (const nice of v8) t.equal(nice, Math.min(before + 10, 19));
  });
}
