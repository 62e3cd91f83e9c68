import { Worker } from 'node:worker_threads';
import t from 'tap';
import { nextConnectionNumber } from '../../../proxy/cluster/connection-number.ts';

t.test('every connection has a number of its own, and none is 0', async (t) => {
  const numbers = Array.from({ length: 1000 }, nextConnectionNumber);
  t.equal(new Set(numbers).size, 1000);
  t.ok(numbers.every((number) => number > 0));
});

t.test('another thread counts from elsewhere', async (t) => {
  const source = new URL('../../../proxy/cluster/connection-number.ts', import.meta.url).href;
  const code = `import { parentPort } from 'node:worker_threads';
    const { nextConnectionNumber } = await import(${JSON.stringify(source)});
    parentPort.postMessage(nextConnectionNumber());`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const number = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  t.ok(number > 2 ** 23, `${number} is far from those of this thread`);
  t.equal(number, Math.trunc(number));
  t.ok(number < 2 ** 31, 'and still a small integer');
});
