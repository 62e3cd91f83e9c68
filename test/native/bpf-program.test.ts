import t from 'tap';
import { testRun } from '../../native/bpf-program.ts';
import { Errno } from '../../native/errno.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { loadedObject } from '../support/tiny-object.ts';

const canLoad = { skip: bpfSkipReason('root', 'libbpf', 'clang') ?? false };

/** struct bpf_sk_lookup of a TCP connection over IPv4. */
const context = Buffer.alloc(72);
context.writeUInt32LE(2, 8);
context.writeUInt32LE(6, 12);

t.test('a program runs by hand, as often as asked', canLoad, (t) => {
  const fd = loadedObject(t).programFd('tn_lookup');
  const outcome = testRun(fd, { contextIn: context, repeat: 1000 });
  if (typeof outcome === 'number') throw new Error(`errno ${-outcome}`);
  t.equal(outcome.result, 1);
  t.ok(outcome.durationNs < 1e6, `${outcome.durationNs} ns`);
  t.same(outcome.context, context);
  t.end();
});

t.test('what cannot be run is a negated errno', canLoad, (t) => {
  const object = loadedObject(t);
  const fd = object.programFd('tn_lookup');
  t.equal(testRun(object.programFd('tn_connect4'), { repeat: 1 }), -Errno.ENOTSUPP, 'not by hand');
  t.equal(testRun(fd, { repeat: 1 }), -Errno.EINVAL, 'without a context');
  t.equal(testRun(fd, { dataIn: new Uint8Array(64), contextIn: context, repeat: 1 }), -Errno.EINVAL, 'sees no packets');
  t.equal(testRun(object.mapFd('counters'), { contextIn: context, repeat: 1 }), -Errno.EINVAL, 'no program');
  for (const repeat of [0, -1, 0.5, 2 ** 31])
    t.equal(testRun(fd, { contextIn: context, repeat }), -Errno.EINVAL, `${repeat} times`);
  t.end();
});
