import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { LoadingThreads, makeLoadingMemory } from '../../../proxy/worker/loading-threads.ts';

// Starting threads takes seconds on a busy machine.
t.setTimeout(900_000);

const module = new URL('../../../proxy/worker/loading-threads.ts', import.meta.url);

t.test('who has begun is waited for, and who has not is held back for good', async (t) => {
  const memory = makeLoadingMemory(2);
  const loading = new LoadingThreads(memory);
  loading.begin(0);
  const code = `
    import { workerData } from 'node:worker_threads';
    import { LoadingThreads } from '${module}';
    new LoadingThreads(workerData).noteDone(0);
    new LoadingThreads(workerData).begin(1);
    new LoadingThreads(workerData).noteDone(1);
  `;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: memory });
  loading.holdBack(240_000);
  const [first, second] = new Int32Array(memory);
  t.equal(first, 2, 'done');
  t.equal(second, 3, 'held back');
  const ended = once(thread, 'exit');
  await thread.terminate();
  t.same(await ended, [1], 'it was stopped, and did not run to its end');
  t.equal(new Int32Array(memory)[1], 3);
});

t.test('a thread that hangs holds nobody up for longer than the bound, one that is done not at all', (t) => {
  const memory = makeLoadingMemory(3);
  const loading = new LoadingThreads(memory);
  loading.begin(0);
  loading.begin(1);
  loading.noteDone(1);
  loading.holdBack(5);
  t.same([...new Int32Array(memory)], [1, 2, 3]);
  t.end();
});

t.test('a thread that fails while it loads is not waited for, though nobody can hear of it any more', async (t) => {
  const memory = makeLoadingMemory(1);
  const cells = new Int32Array(memory);
  const begin = new URL('../../../proxy/worker/begin-loading.ts', import.meta.url);
  const code = `import '${begin}'; throw new Error('no such library');`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: { loading: memory, workerIndex: 0 },
  });
  const failed = once(thread, 'error');
  for (let round = 0; round < 60_000 && cells[0] === 0; round++) Atomics.wait(cells, 0, 0, 1);
  new LoadingThreads(memory).holdBack(20_000);
  t.equal(cells[0], 2, 'it has said that it is done');
  t.matchOnly(await failed, [{ message: 'no such library' }]);
});

t.test('the bound is for all threads together', (t) => {
  const memory = makeLoadingMemory(50);
  const loading = new LoadingThreads(memory);
  for (let worker = 0; worker < 50; worker++) loading.begin(worker);
  // It is over at once.
  const clock = [0];
  loading.holdBack(60_000, () => clock.shift() ?? 60_000);
  t.same([...new Set(new Int32Array(memory))], [1], 'nobody was waited for');
  t.end();
});

/**
 * When the main thread is about to end, a worker is in the middle of loading koffi, and loads it a hundred times: where
 * nobody waits for it, it is most probably stopped within.
 */
const slowLoading = `
const { existsSync, writeFileSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');
const [isLoading, isEnding] = [__dirname + '/is-loading', __dirname + '/is-ending'];
const paused = new Int32Array(new SharedArrayBuffer(4));
const waitFor = (path) => {
  for (let round = 0; round < 60_000 && !existsSync(path); round++) Atomics.wait(paused, 0, 0, 1);
};
const { dlopen } = process;
if (isMainThread) {
  process.once('exit', () => {
    waitFor(isLoading);
    writeFileSync(isEnding, '');
  });
} else {
  process.dlopen = (module, ...rest) => {
    writeFileSync(isLoading, '');
    waitFor(isEnding);
    for (let again = 0; again < 100; again++) dlopen.call(process, { exports: {} }, ...rest);
    dlopen.call(process, module, ...rest);
  };
}
`;

t.test('a bootstrap with an error ends with its sentence while workers load', async (t) => {
  const folder = t.testdir({ 'slow.cjs': slowLoading, 'bootstrap.yaml': 'static_resource: {}\n' });
  const main = join(import.meta.dirname, '../../../proxy/main.ts');
  const args = [
    '--require',
    join(folder, 'slow.cjs'),
    main,
    '-c',
    join(folder, 'bootstrap.yaml'),
    '--concurrency',
    '2',
  ];
  const { code, text } = await new Promise<{ code: unknown; text: string }>((resolve) => {
    execFile(process.execPath, args, (error, _output, text) => resolve({ code: error?.signal ?? error?.code, text }));
  });
  t.equal(code, 1);
  t.match(text, /^outrigger: \S+ 1 problem\n {2}static_resource: unknown field .*did you mean `static_resources`\?\n$/);
});
