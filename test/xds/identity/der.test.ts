import fc from 'fast-check';
import t from 'tap';
import { DerTag, derBitString, derElement, derObjectIdentifier, derSequence } from '../../../xds/identity/der.ts';

t.test('lengths take one byte below 128, and as many as they need above', async (t) => {
  const heads: readonly [bytes: number, head: string][] = [
    [0, '0400'],
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_536, '0483010000'],
  ];
  for (const [bytes, head] of heads) {
    const element = derElement(DerTag.octetString, new Uint8Array(bytes));
    t.equal(element.subarray(0, element.length - bytes).toString('hex'), head);
  }
});

t.test('object identifiers are written as X.690 8.19 has them', async (t) => {
  t.equal(derObjectIdentifier('2.5.29.17').toString('hex'), '0603551d11');
  t.equal(derObjectIdentifier('1.2.840.10045.4.3.2').toString('hex'), '06082a8648ce3d040302');
  t.equal(derObjectIdentifier('1.2.840.113549.1.9.14').toString('hex'), '06092a864886f70d01090e');
});

t.test('bit strings say that no bit is unused, sequences hold their parts in order', async (t) => {
  t.equal(derBitString(Buffer.from('ab', 'hex')).toString('hex'), '030200ab');
  t.equal(
    derSequence(derElement(DerTag.null), derElement(DerTag.integer, Buffer.from([5]))).toString('hex'),
    '30050500020105',
  );
});

t.test('whatever is written can be taken apart again', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70_000 }), (content) => {
      const element = derElement(DerTag.octetString, content);
      const lengthBytes = element[1]! < 0x80 ? 0 : element[1]! & 0x7f;
      const length = lengthBytes === 0 ? element[1]! : element.readUIntBE(2, lengthBytes);
      return length === content.length && element.subarray(2 + lengthBytes).equals(content);
    }),
    { numRuns: 100 },
  );
  t.pass();
});
