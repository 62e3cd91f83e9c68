import t from 'tap';
import { isSameShape, mapTypeName, shapeDifference } from '../../../bpf/loader/map-shape.ts';
import { MapType } from '../../../native/bpf-map.ts';

const SHAPE = { type: MapType.lruHash, keyBytes: 20, valueBytes: 40, maxEntries: 16384 };

t.test('shapes are the same when type, sizes and room are', (t) => {
  t.ok(isSameShape(SHAPE, { ...SHAPE }));
  const others = [{ type: MapType.hash }, { keyBytes: 16 }, { valueBytes: 48 }, { maxEntries: 16383 }];
  for (const other of others) t.notOk(isSameShape(SHAPE, { ...SHAPE, ...other }), Object.keys(other)[0]!);
  t.end();
});

t.test('a difference is told with both shapes', (t) => {
  t.equal(
    shapeDifference('orig', { ...SHAPE, valueBytes: 48 }, SHAPE),
    'map orig has another shape: there is lruHash, 20-byte keys, 40-byte values, 16384 entries; the new programs want lruHash, 20-byte keys, 48-byte values, 16384 entries',
  );
  t.equal(mapTypeName(999), 'type 999');
  t.end();
});
