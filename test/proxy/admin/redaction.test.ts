import fc from 'fast-check';
import t from 'tap';
import { redact } from '../../../proxy/admin/redaction.ts';

t.test('every value below a sensitive field is replaced, the rest is the same', (t) => {
  t.strictSame(
    redact({ a: [1, { private_key: { filename: 'f', list: [1, null] } }], sessionTicketKeys: { keys: ['k'] } }),
    {
      a: [1, { private_key: { filename: '[redacted]', list: ['[redacted]', '[redacted]'] } }],
      sessionTicketKeys: { keys: ['[redacted]'] },
    },
  );
  t.end();
});

t.test('a document without sensitive fields is copied as it is', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.strictSame(JSON.stringify(redact(value)), JSON.stringify(value));
    }),
    { numRuns: 50 },
  );
  t.end();
});
