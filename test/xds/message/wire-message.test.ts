import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import type { Message } from '../../../xds/message/message-descriptor.ts';
import { decodeMessage, encodeMessage } from '../../../xds/message/wire-message.ts';
import { messageOf } from '../../support/config-fixtures.ts';
import { typedMessages } from '../../support/message-arbitraries.ts';

function overWire(message: Message, typeName: string): unknown {
  const problems = new Problems();
  const decoded = decodeMessage(encodeMessage(message, typeName), typeName, problems);
  if (!problems.isEmpty) throw new Error(JSON.stringify(problems.list));
  return decoded;
}

t.test('a message is the same after the wire', async (t) => {
  const rows: readonly [typeName: string, yaml: string][] = [
    ['envoy.config.core.v3.Node', '{id: a, metadata: {a: [1, null, true, {b: c}]}, locality: {zone: z}}'],
    [
      'envoy.config.cluster.v3.Cluster',
      '{name: a, type: STATIC, connect_timeout: 0.25s, wait_for_warm_on_init: false, lb_policy: RANDOM}',
    ],
    ['envoy.config.core.v3.DataSource', '{inline_bytes: AAH/}'],
    ['envoy.type.v3.Int64Range', '{start: -5, end: "9007199254740991"}'],
    [
      'envoy.config.route.v3.Route',
      '{typed_per_filter_config: {a: {"@type": x/envoy.config.route.v3.FilterConfig, disabled: true}}}',
    ],
    ['envoy.config.accesslog.v3.GrpcStatusFilter', '{statuses: [OK, NOT_FOUND]}'],
    ['envoy.config.metrics.v3.HistogramBucketSettings', '{match: {prefix: ""}, buckets: [0.5, 1]}'],
  ];
  for (const [typeName, yaml] of rows) {
    const message = messageOf(typeName, yaml);
    t.same(overWire(message, typeName), message, typeName);
  }
});

t.test('an Any of an unknown type keeps its name', async (t) => {
  const any = { typeUrl: 'a/b.C', typeName: 'b.C' };
  t.same(overWire({ name: 'x', typedConfig: any }, 'envoy.config.listener.v3.Filter'), { name: 'x', typedConfig: any });
});

t.test('bytes that are no message, and numbers that no enum has, are problems', async (t) => {
  const problems = new Problems();
  t.equal(decodeMessage(Uint8Array.of(0xff, 0xff), 'envoy.config.core.v3.Node', problems), undefined);
  t.match(problems.list[0]?.message, /cannot be read as envoy\.config\.core\.v3\.Node/);
  // Field 6 (lb_policy), varint 99.
  t.same(decodeMessage(Uint8Array.of(0x30, 99), 'envoy.config.cluster.v3.Cluster', problems), {});
  t.same(problems.list[1], {
    path: 'lb_policy',
    message: '99 is not a value of envoy.config.cluster.v3.Cluster.LbPolicy',
  });
});

t.test('an opaque field is seen on the wire, so that it can be refused', async (t) => {
  // Field 8 (health_checks), an empty message.
  const message = decodeMessage(Uint8Array.of(0x42, 0), 'envoy.config.cluster.v3.Cluster', new Problems());
  t.ok(message?.['healthChecks']);
  t.throws(() => encodeMessage({ healthChecks: [{}] }, 'envoy.config.cluster.v3.Cluster'), /opaque/);
});

t.test('any message of any type is the same after the wire', async () => {
  fc.assert(
    fc.property(typedMessages, ([name, message]) => {
      deepStrictEqual(plain(overWire(message, name)), plain(message));
    }),
    { numRuns: 300 },
  );
});

/** Without prototypes, which a map may or may not have. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
