// Acceptance test 7 of the sampler in bytes: however many names came, a proxy holds no more than of the first thousands.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { defaultSettings } from '../../../sampler/settings.ts';
import { randomValue, seededRandom } from '../trace-ids.ts';
import { ModelSidecar } from './model-sidecar.ts';
import { slotted } from './requests.ts';
import { firstSeed } from './sizes.ts';

const random = seededRandom(firstSeed);
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Of a sidecar of two workers after a flood of so many paths, 500 a tick. */
function heldBytes(paths: number): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const sidecar = new ModelSidecar({ ...defaultSettings, baseRate: 0.05 }, () => undefined);
  for (let path = 0; path < paths; path++) {
    const worker = sidecar.workers[path % 2]!;
    const key = slotted(worker, `path ${path} of a length that real ones have`);
    const value = randomValue(random);
    sidecar.finish(key, value, worker.decide(key, value));
    if (path % 500 === 499) sidecar.tick(1_000_000 + path / 5);
  }
  collectGarbage();
  const held = process.memoryUsage().heapUsed - before;
  // It has to live up to here.
  if (sidecar.workers.length !== 2) throw new Error('a sidecar of two workers was asked for');
  return held;
}

t.test('7: ten and forty times as many paths take no more bytes than 10,000', (t) => {
  heldBytes(10_000);
  const [few, many, most] = [10_000, 100_000, 400_000].map(heldBytes);
  t.comment(`seed ${firstSeed}: ${[few, many, most].map((bytes) => `${(bytes! / 1024).toFixed(0)} KiB`).join(', ')}`);
  t.ok(few! > 16 * 1024, 'what is held is seen');
  t.ok(few! < 2 * 1024 * 1024);
  // A heap is never measured to the byte: what V8 compiled or dropped meanwhile is in it. 64 bytes of each further path
  // would be 5 and 23 MiB.
  t.ok(many! < few! + 2 * 1024 * 1024);
  t.ok(most! < few! + 2 * 1024 * 1024);
  t.end();
});
