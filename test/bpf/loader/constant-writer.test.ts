import fc from 'fast-check';
import t from 'tap';
import { writeConstants } from '../../../bpf/loader/constant-writer.ts';

const LAYOUTS = [
  { name: 'port', offset: 0, bytes: 2, signed: false },
  { name: 'open', offset: 2, bytes: 1, signed: false },
  { name: 'offset', offset: 4, bytes: 4, signed: true },
  { name: 'cookie', offset: 8, bytes: 8, signed: false },
];

t.test('each constant is written at its place, and nothing beside it', (t) => {
  const section = new Uint8Array(16).fill(0xee);
  t.equal(writeConstants(section, LAYOUTS, { port: 15001, offset: -2, cookie: 0x0102030405060708n }), undefined);
  t.equal(Buffer.from(section).toString('hex'), '993aeeeefeffffff0807060504030201');
  t.end();
});

t.test('what cannot be written is refused by name, and nothing is written', (t) => {
  const refused = (values: Record<string, number | bigint>) => {
    const section = new Uint8Array(16);
    const failure = writeConstants(section, LAYOUTS, { open: 1, ...values });
    t.same(section, new Uint8Array(16), 'as it was');
    return failure?.reason;
  };
  t.equal(refused({ prot: 1 }), 'there is no constant prot; there are port, open, offset, cookie');
  t.equal(refused({ port: 65536 }), 'constant port takes 0 to 65535, not 65536');
  t.equal(refused({ port: -1 }), 'constant port takes 0 to 65535, not -1');
  t.equal(refused({ offset: 2 ** 31 }), 'constant offset takes -2147483648 to 2147483647, not 2147483648');
  t.equal(refused({ cookie: 1n << 64n }), 'constant cookie takes 0 to 18446744073709551615, not 18446744073709551616');
  t.equal(refused({ port: 1.5 }), 'constant port takes whole numbers, not 1.5');
  t.equal(refused({ port: Number.NaN }), 'constant port takes whole numbers, not NaN');
  t.match(refused({ cookie: 2 ** 60 }), /^constant cookie takes whole numbers/, 'no longer exact: a bigint is needed');
  t.end();
});

t.test('tables of another version are found out before anything is written', (t) => {
  const section = new Uint8Array(8);
  const { reason } = writeConstants(section, LAYOUTS, { port: 1, cookie: 1 })!;
  t.equal(reason, "constant cookie lies beyond the object's constants: the object is of another version");
  t.same(section, new Uint8Array(8));
  t.end();
});

t.test('what is written is read back by a DataView', (t) => {
  const read = (view: DataView, offset: number, bytes: number): bigint => {
    if (bytes === 8) return view.getBigInt64(offset, true);
    if (bytes === 4) return BigInt(view.getInt32(offset, true));
    return BigInt(bytes === 2 ? view.getInt16(offset, true) : view.getInt8(offset));
  };
  const anInteger = fc
    .record({ bytes: fc.constantFrom(1, 2, 4, 8), signed: fc.boolean(), offset: fc.nat(8) })
    .chain((layout) => {
      const bits = BigInt(layout.bytes * 8);
      const [min, max] = layout.signed ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
      return fc.record({ layout: fc.constant(layout), value: fc.bigInt({ min, max }) });
    });
  fc.assert(
    fc.property(anInteger, ({ layout, value }) => {
      const section = new Uint8Array(16);
      t.equal(writeConstants(section, [{ name: 'x', ...layout }], { x: value }), undefined);
      const found = read(new DataView(section.buffer), layout.offset, layout.bytes);
      t.equal(layout.signed ? found : BigInt.asUintN(layout.bytes * 8, found), value);
    }),
    { numRuns: 300 },
  );
  t.end();
});
