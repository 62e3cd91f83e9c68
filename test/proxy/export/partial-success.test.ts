import fc from 'fast-check';
import t from 'tap';
import { readPartialSuccess } from '../../../proxy/export/partial-success.ts';
import { encodeOtlp } from '../../support/otlp-messages.ts';

t.test('an empty answer is a full success', (t) => {
  t.same(readPartialSuccess(new Uint8Array()), { rejected: 0, message: '' });
  t.end();
});

t.test('a partial success says how many were refused, and why', (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.string({ unit: 'grapheme' }), (rejected, message) => {
      const answer = encodeOtlp('ExportResponse', { partialSuccess: { rejected, errorMessage: message } });
      const read = readPartialSuccess(answer);
      return read?.rejected === rejected && read.message === message;
    }),
  );
  t.end();
});

t.test('a negative count is none', (t) => {
  const answer = encodeOtlp('ExportResponse', { partialSuccess: { rejected: -3, errorMessage: 'odd' } });
  t.same(readPartialSuccess(answer), { rejected: 0, message: 'odd' });
  t.end();
});

t.test('what is no answer is told from one', (t) => {
  t.equal(readPartialSuccess(Buffer.from([0x0a, 0x7f, 0x00])), null, 'cut');
  t.equal(readPartialSuccess(Buffer.from('<html>not here</html>')), null, 'HTML');
  t.equal(readPartialSuccess(Buffer.from([0x08, 0x01])), null, 'a number in its place');
  t.equal(readPartialSuccess(Buffer.from([0x0a, 0x02, 0x08, 0x80])), null, 'cut inside');
  t.end();
});

t.test('fields of later versions are passed over', (t) => {
  t.same(readPartialSuccess(Buffer.from([0x10, 0x05, 0x0a, 0x04, 0x18, 0x01, 0x08, 0x02])), {
    rejected: 2,
    message: '',
  });
  t.end();
});
