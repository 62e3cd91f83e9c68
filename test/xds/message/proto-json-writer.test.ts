import { deepStrictEqual, ok } from 'node:assert/strict';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import type { Message } from '../../../xds/message/message-descriptor.ts';
import { readProtoJson } from '../../../xds/message/proto-json.ts';
import { writeProtoJson } from '../../../xds/message/proto-json-writer.ts';
import { writeWire } from '../../../xds/message/wire-writer.ts';
import { messageOf } from '../../support/config-fixtures.ts';
import { typedMessages } from '../../support/message-arbitraries.ts';

function jsonOf(message: Message, typeName: string): unknown {
  return writeProtoJson(writeWire(message, typeName), typeName);
}

t.test('what is written is read as the same message', async () => {
  fc.assert(
    fc.property(typedMessages, ([name, message]) => {
      const json = JSON.parse(JSON.stringify(jsonOf(message, name)));
      const read = readProtoJson(json, name);
      deepStrictEqual([read.problems, read.unknownFields], [[], []]);
      deepStrictEqual(plain(read.message), plain(message));
    }),
    { numRuns: 300 },
  );
});

t.test('arbitrary bytes are JSON or base64', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), typedMessages, (bytes, [name]) => {
      ok(JSON.stringify(writeProtoJson(bytes, name)) !== undefined);
    }),
  );
});

t.test('names are those of the proto files, durations are text, defaults are left out', async (t) => {
  const type = 'envoy.config.cluster.v3.Cluster';
  const cluster = messageOf(
    type,
    `{name: a, type: STATIC, connect_timeout: 0.25s, lb_policy: ROUND_ROBIN, per_connection_buffer_limit_bytes: 0,
      load_assignment: {cluster_name: a}}`,
  );
  t.same(jsonOf(cluster, type), {
    name: 'a',
    type: 'STATIC',
    connect_timeout: '0.250s',
    per_connection_buffer_limit_bytes: 0,
    load_assignment: { cluster_name: 'a' },
  });
});

t.test('bytes are base64, 64-bit integers text, structs JSON', async (t) => {
  t.same(jsonOf({ inlineBytes: Uint8Array.of(0, 1, 255) }, 'envoy.config.core.v3.DataSource'), {
    inline_bytes: 'AAH/',
  });
  t.same(jsonOf({ start: -5, end: 2 ** 60 }, 'envoy.type.v3.Int64Range'), { start: '-5', end: '1152921504606846976' });
  const metadata = { a: [1, null, true, { b: 'c' }] };
  t.same(JSON.stringify(jsonOf({ metadata }, 'envoy.config.core.v3.Node')), JSON.stringify({ metadata }));
});

t.test('an Any has its type and its content, base64 where that is not known', async (t) => {
  const type = 'envoy.config.core.v3.TypedExtensionConfig';
  const any = (typeUrl: string, value: Uint8Array) => {
    const writer = protobuf.Writer.create().uint32(0x12).fork();
    return writer.uint32(0x0a).string(typeUrl).uint32(0x12).bytes(value).ldelim().finish();
  };
  const node = 'type.googleapis.com/envoy.config.core.v3.Node';
  const written = (typeUrl: string, ...value: number[]) =>
    (writeProtoJson(any(typeUrl, Uint8Array.from(value)), type) as { typed_config: unknown }).typed_config;
  t.same(written(node, 0x0a, 1, 97), { '@type': node, id: 'a' });
  t.same(written(node, 0x0a, 9), { '@type': node, value: 'Cgk=' });
  t.same(written('x/y.Z', 1, 2), { '@type': 'x/y.Z', value: 'AQI=' });
  t.same(written('x/google.protobuf.Duration', 8, 3), { '@type': 'x/google.protobuf.Duration', value: '3s' });
  t.same(written('x/google.protobuf.Value', 8, 0), { '@type': 'x/google.protobuf.Value', value: null });
});

t.test('numbers that no enum has are there, and messages whose type is not known, without their content', async (t) => {
  const known = protobuf.Writer.create().uint32(0x30).int32(99).uint32(0x42).bytes(Uint8Array.of(8, 1));
  const bytes = known.uint32(0x0a).string('a').finish();
  t.strictSame(writeProtoJson(bytes, 'envoy.config.cluster.v3.Cluster'), {
    lb_policy: 99,
    health_checks: [{}],
    name: 'a',
  });
  const endless = protobuf.Writer.create().uint32(0x42).uint32(9).finish();
  t.equal(writeProtoJson(endless, 'envoy.config.cluster.v3.Cluster'), 'Qgk=');
});

t.test('the last member of a oneof is there, a message given twice is merged', async (t) => {
  const type = 'envoy.config.core.v3.DataSource';
  const both = Buffer.concat([writeWire({ filename: 'a' }, type), writeWire({ inlineString: '' }, type)]);
  t.same(writeProtoJson(both, type), { inline_string: '' });
  const node = 'envoy.config.core.v3.Node';
  const parts = [writeWire({ locality: { region: 'r' } }, node), writeWire({ locality: { zone: 'z' } }, node)];
  t.same(writeProtoJson(Buffer.concat(parts), node), { locality: { region: 'r', zone: 'z' } });
});

t.test('what is no message of the type is base64 as a whole', async (t) => {
  t.equal(writeProtoJson(Uint8Array.of(0x0a, 9), 'envoy.config.core.v3.Node'), 'Cgk=');
  t.throws(() => writeProtoJson(Uint8Array.of(), 'a.B'), /no descriptor of message a\.B/);
});

/** Without prototypes, which a map may or may not have. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
