import fc from 'fast-check';
import t from 'tap';
import { type CacheContent, decodeCache, encodeCache, type KeptType } from '../../../xds/client/cache-format.ts';

const encoded = (types: readonly KeptType[], identity = 'me') => Buffer.concat([...encodeCache(identity, types)]);
const keptTypes = fc.array(
  fc.record({
    source: fc.string({ unit: 'grapheme' }),
    typeUrl: fc.string(),
    resources: fc.array(
      fc.record({ name: fc.string({ unit: 'grapheme' }), version: fc.string(), bytes: fc.uint8Array() }),
    ),
  }),
);

const plain = (content: CacheContent) =>
  content.kind === 'kept'
    ? content.types.map((type) => ({
        ...type,
        resources: type.resources.map((each) => ({ ...each, bytes: [...each.bytes] })),
      }))
    : content;

t.test('what is written is what is read', async (t) => {
  const isSame = (types: readonly KeptType[], identity: string) => {
    t.same(plain(decodeCache(encoded(types, identity), identity)), plain({ kind: 'kept', types }));
  };
  fc.assert(fc.property(keptTypes, fc.string(), isSame), { numRuns: 100 });
});

t.test('a file that was damaged or cut off anywhere is not read', async (t) => {
  const file = encoded([
    { source: 'ads', typeUrl: 't', resources: [{ name: 'a', version: '1', bytes: Buffer.from('message') }] },
  ]);
  t.equal(decodeCache(file, 'me').kind, 'kept');
  for (let index = 0; index < file.length; index++) {
    const damaged = Buffer.from(file);
    damaged[index]! ^= 0x10;
    t.equal(decodeCache(damaged, 'me').kind, 'unusable');
    t.equal(decodeCache(file.subarray(0, index), 'me').kind, 'unusable');
  }
  t.equal(decodeCache(Buffer.concat([file, Buffer.of(0)]), 'me').kind, 'unusable');
});

t.test("another version's and another node's file are not read", async (t) => {
  const file = encoded([]);
  t.same(decodeCache(file, 'you'), { kind: 'unusable', reason: 'it is of another node or control plane' });
  t.same(decodeCache(Buffer.from('outrigger resources 2\n…'), 'me'), {
    kind: 'unusable',
    reason: 'it has the format of another version',
  });
  t.equal(decodeCache(Buffer.of(), 'me').kind, 'unusable');
});

t.test('no bytes with a right checksum make it read beyond their end', async (t) => {
  const { crc32 } = await import('node:zlib');
  const start = Buffer.concat([Buffer.from('outrigger resources 1\n'), Buffer.of(2, 0, 0, 0), Buffer.from('me')]);
  // Text that is not UTF-8 would be read with replacements.
  const field = fc.oneof(
    fc.uint8Array({ maxLength: 8, max: 0x7f }),
    fc.nat(9).map((length) => Buffer.of(length, 0, 0, 0)),
    fc.constantFrom(1, 2, 0).map((mark) => Buffer.of(mark)),
  );
  const property = fc.property(fc.array(field), (fields) => {
    const body = Buffer.concat([start, ...fields]);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(body));
    const content = decodeCache(Buffer.concat([body, checksum]), 'me');
    return content.kind === 'unusable' || encoded(content.types).equals(Buffer.concat([body, checksum]));
  });
  fc.assert(property, { numRuns: 2000 });
  t.pass('and what is read is what was written');
});
