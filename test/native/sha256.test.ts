import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { sha256 } from '../../native/sha256.ts';

const hexOf = (bytes: Uint8Array) => Buffer.from(sha256(bytes)!).toString('hex');

t.test('it is the hash that the standard gives (FIPS 180-4)', (t) => {
  t.equal(hexOf(Buffer.from('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.equal(hexOf(new Uint8Array()), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  t.end();
});

t.test('it is what Node says of any bytes, and of a part of a buffer', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }), (bytes, skipped) => {
      const part = bytes.subarray(Math.min(skipped, bytes.length));
      return hexOf(part) === createHash('sha256').update(part).digest('hex');
    }),
  );
  const object = randomBytes(100_000);
  t.equal(hexOf(object), createHash('sha256').update(object).digest('hex'));
  t.end();
});

t.test('what it returned stays as it was', (t) => {
  const first = sha256(Buffer.from('abc'))!;
  const kept = Uint8Array.from(first);
  sha256(Buffer.from('another'));
  t.same(Uint8Array.from(first), kept);
  t.end();
});
