import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { messageTexts } from '../../xds/generated/descriptors.ts';
import { enumDescriptor, type FieldDescriptor, type Message, messageDescriptor } from '../../xds/message-descriptor.ts';
import { typedStructs } from '../../xds/proto-json.ts';
import { isScalarMessage } from '../../xds/proto-json-scalar.ts';
import { decodeMessage, encodeMessage } from '../../xds/wire-message.ts';
import { messageOf } from '../support/config-fixtures.ts';

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
  t.match(problems.list[0]?.message, /is not a envoy\.config\.core\.v3\.Node/);
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
  const typeNames = Object.keys(messageTexts);
  const typed = fc.constantFrom(...typeNames).chain((name) => fc.tuple(fc.constant(name), messageArbitrary(name, 3)));
  fc.assert(
    fc.property(typed, ([name, message]) => {
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

function messageArbitrary(typeName: string, depth: number): fc.Arbitrary<Message> {
  const fields = messageDescriptor(typeName)!.fields.filter((field) => field.kind !== 'opaque');
  const usable = depth > 0 ? fields : fields.filter((field) => field.kind !== 'message');
  const entries = usable.map((field) => [field.key, fieldArbitrary(field, depth)] as const);
  return fc
    .record(Object.fromEntries(entries), { requiredKeys: [] })
    .map((message) => withoutDefaults(message, typeName));
}

/** As in memory: no empty list, no default without presence, one member of a oneof. */
function withoutDefaults(message: Message, typeName: string): Message {
  const seen = new Set<string>();
  const kept = messageDescriptor(typeName)!.fields.filter(({ key, shape, oneof, kind, type }) => {
    const value = message[key];
    if (value === undefined || (oneof !== undefined && seen.has(oneof))) return false;
    if (oneof !== undefined) seen.add(oneof);
    if (shape !== 'single') return Object.keys(value as object).length > 0;
    if (oneof !== undefined || kind === 'message') return true;
    if (value instanceof Uint8Array) return value.length > 0;
    return !(kind === 'enum'
      ? enumDescriptor(type).byName.get(value as string) === 0
      : ['', 0, false].includes(value as string));
  });
  return Object.fromEntries(kept.map(({ key }) => [key, message[key]]));
}

function fieldArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  const value = valueArbitrary(field, depth);
  if (field.shape === 'repeated') return fc.array(value, { maxLength: 2 });
  return field.shape === 'map'
    ? fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        value,
        { maxKeys: 2 },
      )
    : value;
}

/** An Any that holds a TypedStruct becomes the message inside. */
const namesInAny = Object.keys(messageTexts).filter((name) => !typedStructs.has(name));

function valueArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  if (field.kind === 'enum') return fc.constantFrom(...enumDescriptor(field.type).byName.keys());
  if (field.kind === 'scalar' || isScalarMessage(field.type)) return scalarArbitrary(field.type);
  switch (field.type) {
    case 'google.protobuf.Any':
      return fc.constantFrom(...namesInAny).chain((typeName) =>
        messageArbitrary(typeName, depth - 1).map((message) => ({
          typeUrl: `type.googleapis.com/${typeName}`,
          typeName,
          message,
        })),
      );
    case 'google.protobuf.Empty':
      return fc.constant({});
    case 'google.protobuf.Struct':
      return fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.constantFrom(1, 'a', true, null, [1, { b: [] }]),
      );
    default:
      return messageArbitrary(field.type, depth - 1);
  }
}

function scalarArbitrary(type: string): fc.Arbitrary<unknown> {
  if (/string/i.test(type)) return fc.string({ unit: 'grapheme' });
  if (/bool/i.test(type)) return fc.boolean();
  if (/bytes/i.test(type)) return fc.uint8Array({ maxLength: 5 });
  if (/double|float/i.test(type)) return fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value));
  return type.includes('Duration') ? fc.nat(1e6) : fc.nat();
}
