import t from 'tap';
import { CounterArray } from '../../../bpf/loader/counter-array.ts';
import { BpfMap, createMap, MapFlag, MapType } from '../../../native/bpf-map.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';

const skip = bpfSkipReason('root', 'libbpf') ?? false;

t.test('counters are read by name and by number, as they are now', { skip }, (t) => {
  const flags = MapFlag.memoryMappable;
  const fd = createMap({ type: MapType.array, keyBytes: 4, valueBytes: 8, maxEntries: 3, flags, name: 'counters' });
  const map = new BpfMap(fd, 4, 8);
  const counters = CounterArray.map(fd, { FIRST: 0, SECOND: 1, LAST_OF_ALL: 2 }) as CounterArray;
  t.same(counters.values(), { first: 0, second: 0, last_of_all: 0 });
  const put = (counter: number, value: bigint) =>
    map.update(new Uint8Array(Uint32Array.of(counter).buffer), new Uint8Array(BigUint64Array.of(value).buffer));
  t.equal(put(1, 7n), 0);
  t.equal(put(2, 2n ** 40n), 0);
  t.same(counters.values(), { first: 0, second: 7, last_of_all: 2 ** 40 });
  t.equal(counters.value(2), 2 ** 40);
  counters.unmap();
  t.throws(() => counters.value(5), 'nothing is read after that');
  close(fd);
  t.end();
});

t.test('what cannot be mapped is a failure', (t) => {
  t.match(CounterArray.map(-1, { FIRST: 0 }), { reason: /^cannot map counters: / });
  t.end();
});
