import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { writeWire } from '../../../xds/message/wire-writer.ts';
import { typedMessages } from '../../support/message-arbitraries.ts';
import { referenceBytes } from '../../support/wire-reference.ts';

t.test('the bytes are those of another implementation', async () => {
  fc.assert(
    fc.property(typedMessages, ([name, message]) => {
      deepStrictEqual(Buffer.from(writeWire(message, name)), Buffer.from(referenceBytes(message, name)));
    }),
    { numRuns: 300 },
  );
});

t.test('equal messages are equal bytes, whatever the order of their fields', async (t) => {
  const type = 'envoy.config.core.v3.Node';
  const one = writeWire({ id: 'a', cluster: 'b', locality: { zone: 'z', region: 'r' } }, type);
  t.same(writeWire({ locality: { region: 'r', zone: 'z' }, cluster: 'b', id: 'a' }, type), one);
});

t.test('defaults are written where they say something', async (t) => {
  t.equal(writeWire({ id: '' }, 'envoy.config.core.v3.Node').length, 0);
  t.same([...writeWire({ inlineString: '' }, 'envoy.config.core.v3.DataSource')], [0x1a, 0]);
  t.same([...writeWire({ exclude: false, statuses: [] }, 'envoy.config.accesslog.v3.GrpcStatusFilter')], []);
});

t.test('an opaque field has no content to write', async (t) => {
  t.throws(() => writeWire({ healthChecks: [{}] }, 'envoy.config.cluster.v3.Cluster'), /opaque/);
});

t.test('a duration that rounds up to a second is a second', async (t) => {
  const bytes = writeWire({ connectTimeout: 999.999_999_9 }, 'envoy.config.cluster.v3.Cluster');
  t.same([...bytes], [0x22, 2, 0x08, 1]);
});
