import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert/strict';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { type Message, messageDescriptor } from '../../../xds/message/message-descriptor.ts';
import { WireReader } from '../../../xds/message/wire-reader.ts';
import { writeWire } from '../../../xds/message/wire-writer.ts';
import { noFields } from '../../support/empty-patterns.ts';
import { messagePairs, typedMessages } from '../../support/message-arbitraries.ts';
import { referenceBytes, referenceCanonical } from '../../support/wire-reference.ts';

const cluster = 'envoy.config.cluster.v3.Cluster';
const node = 'envoy.config.core.v3.Node';
const socketOption = 'envoy.config.core.v3.SocketOption';
const grpcStatuses = 'envoy.config.accesslog.v3.GrpcStatusFilter';
const metadata = 'envoy.config.core.v3.Metadata';
const filter = 'envoy.config.listener.v3.Filter';

function read(bytes: Uint8Array, typeName: string, problems = new Problems()): Message {
  return new WireReader(bytes, problems).read(messageDescriptor(typeName)!);
}

/** Fields as tags and what is written after them. */
function bytesOf(write: (writer: protobuf.Writer) => void): Uint8Array {
  const writer = protobuf.Writer.create();
  write(writer);
  return writer.finish();
}

t.test('what another implementation writes is read as it was', async () => {
  fc.assert(
    fc.property(typedMessages, ([name, message]) => {
      deepStrictEqual(plain(read(referenceBytes(message, name), name)), plain(message));
    }),
    { numRuns: 300 },
  );
});

t.test('two messages in a row are merged as another implementation merges them', async () => {
  fc.assert(
    fc.property(messagePairs, ([name, one, other]) => {
      const bytes = Buffer.concat([referenceBytes(one, name), referenceBytes(other, name)]);
      const problems = new Problems();
      const merged = read(bytes, name, problems);
      // Half an Any is refused; the test below has that.
      fc.pre(problems.isEmpty);
      deepStrictEqual(Buffer.from(writeWire(merged, name)), Buffer.from(referenceCanonical(bytes, name)));
    }),
    { numRuns: 300 },
  );
});

t.test('damaged bytes are refused exactly when another implementation refuses them', async () => {
  const accepts = (act: () => unknown) => {
    try {
      act();
      return true;
    } catch {
      return false;
    }
  };
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(typedMessages, damage, ([name, message], changes) => {
      const bytes = referenceBytes(message, name);
      fc.pre(bytes.length > 0);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      strictEqual(
        accepts(() => read(bytes, name)),
        accepts(() => referenceCanonical(bytes, name)),
      );
    }),
    { numRuns: 300 },
  );
});

t.test('bytes that end too early, and any others, are an Error or a message', async () => {
  const attempt = (bytes: Uint8Array, name: string) => {
    try {
      read(bytes, name);
    } catch (error) {
      ok(error instanceof Error && !/stack/.test(error.message), String(error));
    }
  };
  fc.assert(
    fc.property(typedMessages, fc.nat(), ([name, message], at) => {
      const bytes = writeWire(message, name);
      attempt(bytes.subarray(0, bytes.length === 0 ? 0 : at % bytes.length), name);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), typedMessages, (bytes, [name]) => attempt(bytes, name)));
});

t.test('the last member of a oneof wins', async (t) => {
  const bytes = bytesOf((writer) => writer.uint32(0x20).int64(5).uint32(0x2a).bytes(Uint8Array.of(1)));
  t.same(read(bytes, socketOption), { bufValue: Uint8Array.of(1) });
});

t.test('numbers come packed, one by one, or both', async (t) => {
  const bytes = bytesOf((writer) => {
    writer.uint32(0x0a).fork().int32(0).int32(1).ldelim();
    writer.uint32(0x08).int32(2);
    writer.uint32(0x0a).fork().ldelim();
  });
  t.same(read(bytes, grpcStatuses), { statuses: ['OK', 'CANCELED', 'UNKNOWN'] });
  t.same(read(Uint8Array.of(0x0a, 0), grpcStatuses), {});
});

t.test('unknown fields, groups and wire types that a field does not have are skipped', async (t) => {
  const bytes = bytesOf((writer) => {
    writer.uint32((9000 << 3) | 2).string('unknown');
    writer
      .uint32((9001 << 3) | 3)
      .uint32(8)
      .int32(1)
      .uint32((9001 << 3) | 4);
    writer.uint32(8).int32(7);
    writer.uint32(0x0a).string('id');
  });
  t.same(read(bytes, node), { id: 'id' });
  t.throws(() => read(Uint8Array.of(0x0b), node), 'a group that does not end');
});

t.test('what no enum has is a problem with its path, and left out', async (t) => {
  const problems = new Problems();
  const bytes = bytesOf((writer) => writer.uint32(0x0a).fork().int32(0).int32(99).ldelim());
  t.same(read(bytes, grpcStatuses, problems), { statuses: ['OK'] });
  t.matchOnly(problems.list, [{ path: 'statuses[1]', message: /^99 is not a value of / }]);
});

t.test('keys of maps are their own, and a value that is not given is empty', async (t) => {
  const bytes = bytesOf((writer) => {
    writer.uint32(0x0a).fork().uint32(0x0a).string('__proto__').ldelim();
    writer.uint32(0x0a).fork().uint32(0x12).fork().ldelim().uint32(0x0a).string('b').ldelim();
  });
  const { filterMetadata } = read(bytes, metadata) as { filterMetadata: object };
  t.same(Object.keys(filterMetadata), ['__proto__', 'b']);
  t.equal(Object.getPrototypeOf(filterMetadata), null);
});

t.test('bytes are copied, so that they do not keep the response', async (t) => {
  const bytes = bytesOf((writer) => writer.uint32(0x12).bytes(Uint8Array.of(1, 2)));
  const { inlineBytes } = read(bytes, 'envoy.config.core.v3.DataSource') as { inlineBytes: Uint8Array };
  t.same(inlineBytes, Uint8Array.of(1, 2));
  t.not(inlineBytes.buffer, bytes.buffer);
});

t.test('64-bit integers are the nearest numbers', async (t) => {
  const bytes = bytesOf((writer) =>
    writer
      .uint32(0x08)
      .int64(-5)
      .uint32(0x10)
      .int64(2 ** 53),
  );
  t.same(read(bytes, 'envoy.type.v3.Int64Range'), { start: -5, end: 2 ** 53 });
});

t.test('an Any holds its message, or is a problem where it stands', async (t) => {
  const any = (typeUrl: string, value: Uint8Array) =>
    bytesOf((writer) => writer.uint32(0x22).fork().uint32(0x12).bytes(value).uint32(0x0a).string(typeUrl).ldelim());
  const nodeUrl = `type.googleapis.com/${node}`;
  t.match(read(any(nodeUrl, Uint8Array.of(0x0a, 1, 97)), filter), { typedConfig: { message: { id: 'a' } } });
  t.same(read(any('x/y.Z', Uint8Array.of(0xff)), filter), { typedConfig: { typeUrl: 'x/y.Z', typeName: 'y.Z' } });
  const problems = new Problems();
  t.match(read(any(nodeUrl, Uint8Array.of(0x0a, 9)), filter, problems), { typedConfig: { message: noFields } });
  t.matchOnly(problems.list, [
    { path: 'typed_config', message: /^its bytes cannot be read as envoy\.config\.core\.v3\.Node: / },
  ]);
  const wrapped = any('x/google.protobuf.UInt32Value', Uint8Array.of(0x08, 5));
  t.match(read(wrapped, filter), { typedConfig: { typeName: 'google.protobuf.UInt32Value', message: 5 } });
});

t.test('an Any that comes in two parts is a problem', async (t) => {
  const problems = new Problems();
  const url = bytesOf((writer) => writer.uint32(0x22).fork().uint32(0x0a).string(`x/${node}`).ldelim());
  read(Buffer.concat([url, url]), filter, problems);
  t.matchOnly(problems.list, [{ path: 'typed_config', message: /in parts/ }]);
});

t.test('nesting ends at a hundred levels, in messages, in JSON and in what an Any holds', async () => {
  read(nestedLists(40), node);
  const tooDeep = /nested deeper than 100 levels/;
  throws(() => read(nestedLists(60), node), tooDeep);
  throws(() => read(nestedLists(2_000), node), tooDeep);
  const { problems, reached } = nestedAny(200);
  strictEqual(problems.list.length, 1);
  ok(reached <= 101 && /nested deeper/.test(problems.list[0]!.message));
});

/** A node with metadata of lists in lists, from the inside out: a writer that calls itself would end sooner. */
function nestedLists(depth: number): Uint8Array {
  let value = Uint8Array.of(0x32, 0);
  for (let level = 0; level < depth; level++) {
    const list = bytesOf((writer) => writer.uint32(0x0a).bytes(value));
    value = bytesOf((writer) => writer.uint32(0x32).bytes(list)) as Uint8Array<ArrayBuffer>;
  }
  const entry = bytesOf((writer) => writer.uint32(0x0a).string('a').uint32(0x12).bytes(value));
  return bytesOf((writer) => writer.uint32(0x1a).fork().uint32(0x0a).bytes(entry).ldelim());
}

/** Filters that hold filters: an Any at every level. */
function nestedAny(depth: number): { problems: Problems; reached: number } {
  let message: Message = { name: 'innermost' };
  for (let level = 0; level < depth; level++) {
    message = { typedConfig: { typeUrl: `x/${filter}`, typeName: filter, message } };
  }
  const problems = new Problems();
  let place: unknown = read(writeWire(message, filter), filter, problems);
  let reached = 0;
  for (; typeof place === 'object' && place !== null && 'typedConfig' in place; reached++) {
    place = (place.typedConfig as { message?: unknown }).message;
  }
  return { problems, reached };
}

t.test('a cluster is read from where it stands in a larger buffer', async (t) => {
  const bytes = writeWire({ name: 'a', connectTimeout: 1500 }, cluster);
  const larger = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)]);
  t.same(read(larger.subarray(3, 3 + bytes.length), cluster), { name: 'a', connectTimeout: 1500 });
});

/** Without prototypes, which a map may or may not have. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
