import fc from 'fast-check';
import t from 'tap';
import { RequestBody } from '../../../proxy/http/request-body.ts';
import { bufferOf } from '../../support/http-fixtures.ts';

/** What somebody gets who takes it now. */
function repeated(body: RequestBody): string {
  const pieces: string[] = [];
  body.sendTo({ sendBytes: (bytes) => pieces.push(Buffer.from(bytes).latin1Slice()) });
  return pieces.join('');
}

t.test('what has come can be sent again, as often as it must be', (t) => {
  const body = new RequestBody(true, 100);
  const buffer = bufferOf('one two');
  body.add(buffer, 0, 4);
  buffer.bytes.fill(0x78, 0, 4);
  body.add(buffer, 4, 7);
  t.equal(repeated(body), 'one two', 'copies: the buffer is read into again');
  t.equal(repeated(body), 'one two');
  t.equal(body.hasEnded, false);
  body.end(null);
  t.equal(body.hasEnded, true);
  body.forget();
  t.equal(body.isKept, false);
  t.equal(repeated(body), '');
  t.end();
});

t.test('a body in pieces of one byte is kept in few', (t) => {
  const body = new RequestBody(true, 100_000);
  const buffer = bufferOf('x');
  for (let count = 0; count < 100_000; count++) body.add(buffer, 0, 1);
  let pieces = 0;
  body.sendTo({ sendBytes: () => pieces++ });
  t.ok(pieces <= 30, `${pieces} pieces`);
  t.equal(repeated(body), 'x'.repeat(100_000));
  t.end();
});

t.test('one that nothing repeats is not kept, and that is no loss', (t) => {
  const body = new RequestBody(false, 100);
  t.equal(body.add(bufferOf('x'.repeat(101)), 0, 101), true);
  t.equal(body.isKept, false);
  t.equal(repeated(body), '');
  t.end();
});

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789ABCD';
const length = fc.oneof(fc.nat(40), fc.integer({ min: 4000, max: 10_000 }));

t.test('of pieces of any length all are kept up to the limit and none beyond it, which is said once', (t) => {
  fc.assert(
    fc.property(fc.array(length, { maxLength: 20 }), fc.oneof(fc.nat(200), fc.nat(50_000)), (lengths, limitBytes) => {
      const body = new RequestBody(true, limitBytes);
      const buffer = bufferOf(alphabet.repeat(250));
      let sent = '';
      let losses = 0;
      for (const length of lengths) {
        if (!body.add(buffer, 0, length)) losses++;
        sent += buffer.bytes.latin1Slice(0, length);
      }
      const fits = sent.length <= limitBytes;
      return body.isKept === fits && losses === (fits ? 0 : 1) && repeated(body) === (fits ? sent : '');
    }),
    { seed: 20_261_122 },
  );
  t.end();
});
