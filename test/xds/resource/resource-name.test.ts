import fc from 'fast-check';
import t from 'tap';
import { resourceNameOf } from '../../../xds/resource/resource-name.ts';
import { encodedOf } from '../../support/assembly-bench.ts';

const bytes = (...values: readonly number[]) => Uint8Array.of(...values);

t.test('the name of a resource by its bytes', async (t) => {
  t.equal(resourceNameOf(encodedOf('envoy.config.cluster.v3.Cluster', '{name: ä|b, connect_timeout: 1s}')), 'ä|b');
  t.equal(resourceNameOf(encodedOf('envoy.config.listener.v3.Listener', '{stat_prefix: x}')), '');
  t.equal(resourceNameOf(bytes(0x10, 1, 0x0a, 1, 0x61, 0x1d, 0, 0, 0, 0, 0x0a, 1, 0x62)), 'b', 'the last one counts');
});

t.test('what is no message has no name', async (t) => {
  const rows: readonly Uint8Array[] = [
    bytes(),
    bytes(0x0a),
    bytes(0x0a, 2, 0x61),
    bytes(0x0a, 1, 0x61, 0x80),
    bytes(0x0a, 1, 0x61, 0x0b),
    bytes(0x0a, 1, 0x61, 0x19, 0),
    bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
  ];
  for (const row of rows) t.equal(resourceNameOf(row), '', Buffer.from(row).toString('hex'));
});

t.test('any bytes are read within their bounds', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (message) => typeof resourceNameOf(message) === 'string'));
});

t.test('the name is found among any other fields', async () => {
  const field = fc.oneof(
    fc.nat(127).map((value) => [0x10, value]),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value) => [0x19, ...value]),
    fc.uint8Array({ maxLength: 9 }).map((value) => [0x22, value.length, ...value]),
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((value) => [0x2d, ...value]),
  );
  fc.assert(
    fc.property(
      fc.array(field),
      fc.array(field),
      fc.string({ unit: 'grapheme', maxLength: 20 }),
      (before, after, name) => {
        const text = [...Buffer.from(name)];
        fc.pre(text.length < 128);
        const message = bytes(...before.flat(), 0x0a, text.length, ...text, ...after.flat());
        return resourceNameOf(message) === name;
      },
    ),
  );
});
