import fc from 'fast-check';
import t from 'tap';
import {
  decodeAnyStruct,
  decodeStruct,
  encodeAnyStruct,
  encodeStruct,
  type TextStruct,
} from '../../../proxy/istio/struct-wire.ts';

const bytes = (...parts: readonly (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.from([part]))));
/** A field with a length in front. */
const field = (number: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
const entry = (name: string, value: Buffer): Buffer =>
  field(1, Buffer.concat([field(1, bytes(name)), field(2, value)]));

t.test('a struct has the bytes that protobuf gives it when it is asked for the same each time', async (t) => {
  const struct = new Map<string, string | ReadonlyMap<string, string>>([
    ['b', 'two'],
    ['a', new Map([['k', 'ö']])],
  ]);
  t.same(
    encodeStruct(struct),
    Buffer.concat([entry('a', field(5, entry('k', field(3, bytes('ö'))))), entry('b', field(3, bytes('two')))]),
  );
  t.same(encodeStruct(new Map([['E', new Map()]])), entry('E', field(5, Buffer.alloc(0))));
  t.same(encodeStruct(new Map()), Buffer.alloc(0));
});

t.test('a long text has a length of several bytes', async (t) => {
  const struct = new Map([['a', 'x'.repeat(20_000)]]);
  t.same(encodeStruct(struct).subarray(0, 12), Buffer.from('0aab9c010a016112a49c011a', 'hex'));
  t.same(decodeStruct(encodeStruct(struct)), struct);
});

t.test('what is written is read', async () => {
  const texts = fc
    .array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })))
    .map((list) => new Map(list));
  const structs = fc
    .array(fc.tuple(fc.string(), fc.oneof(fc.string({ unit: 'grapheme' }), texts)))
    .map((list) => new Map(list));
  fc.assert(
    fc.property(structs, (struct: TextStruct) => {
      t.same(decodeStruct(encodeStruct(struct)), struct);
    }),
  );
});

t.test('values of other kinds, fields that are not known and structs that lie deeper are passed over', async (t) => {
  const deep = field(5, entry('x', field(5, entry('y', field(5, Buffer.alloc(0))))));
  const read = decodeStruct(
    Buffer.concat([
      entry('number', Buffer.concat([bytes(0x11), Buffer.alloc(8)])),
      entry('bool', bytes(0x20, 1)),
      entry('list', field(6, Buffer.alloc(3, 1))),
      entry('deep', deep),
      bytes(0x15, 0, 0, 0, 0),
      entry('text', field(3, bytes('a'))),
      entry('text', field(3, bytes('b'))),
    ]),
  );
  t.same(
    read,
    new Map<string, unknown>([
      ['deep', new Map()],
      ['text', 'b'],
    ]),
  );
});

t.test('what is no struct is refused whole', async (t) => {
  const whole = entry('a', field(3, bytes('b')));
  for (let end = 1; end < whole.length; end++) t.equal(decodeStruct(whole.subarray(0, end)), null, `${end} bytes`);
  const wrong = {
    'a text that is no UTF-8': entry('a', field(3, Buffer.from([0xff]))),
    'a name that is no UTF-8': field(1, field(1, Buffer.from([0xff]))),
    'a group': bytes(0x0b, 0x0c),
    'field 0': bytes(0x02, 0),
    'a length without end': bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff),
    'a number without end': Buffer.concat([bytes(0x10), Buffer.alloc(11, 0xff)]),
    'a struct inside that is none': entry('a', field(5, bytes(0x0a, 9))),
  };
  for (const [name, wire] of Object.entries(wrong)) t.equal(decodeStruct(wire), null, name);
});

t.test('any bytes are read or refused, and never more than there are', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (wire) => {
      const read = decodeStruct(Buffer.from(wire));
      if (read === null) return;
      for (const [name, value] of read) {
        const length = typeof value === 'string' ? value.length : value.size;
        if (name.length + length > wire.length) t.fail('more than there was');
      }
    }),
    { numRuns: 2000 },
  );
});

t.test('an Any is read when it holds a struct, and as deep as is asked for', async (t) => {
  const inner: TextStruct = new Map([['labels', new Map([['app', 'web']])]]);
  const struct: TextStruct = new Map([['told', inner]]);
  const any = encodeAnyStruct(struct);
  t.same(decodeAnyStruct(any, 2), struct);
  t.same(decodeAnyStruct(any, 1), new Map([['told', new Map()]]), 'what is deeper is passed over');
  t.equal(decodeAnyStruct(Buffer.from(any.toString('latin1').replace('Struct', 'Strict'), 'latin1'), 2), null);
  t.equal(decodeAnyStruct(any.subarray(0, -1), 2), null);
  t.equal(decodeAnyStruct(Buffer.alloc(0), 2), null, 'an Any of nothing');
});
