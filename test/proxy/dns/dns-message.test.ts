import fc from 'fast-check';
import t from 'tap';
import { answersQuery, type DnsQuery, readQuery, replyHead } from '../../../proxy/dns/dns-message.ts';
import { queryBytes } from '../../support/dns-queries.ts';

const malformed = { kind: 'refused', code: 1 };

t.test('a query is read: its name in lower case, its question as it was sent', async (t) => {
  const query = readQuery(queryBytes('Cart.shop.SVC', { id: 0xbeef, type: 28 })) as DnsQuery;
  t.match(query, { kind: 'query', id: 0xbeef, name: 'cart.shop.svc', type: 28, class: 1, hasEdns: false });
  t.equal(query.question.toString('latin1', 0, 5), '\x04Cart');
  t.equal(query.udpSizeBytes, 512);
  t.match(readQuery(queryBytes('')), { kind: 'query', name: '' });
});

t.test('how much the asker takes is what EDNS says: 512 bytes at least, and no more than a datagram has', async (t) => {
  t.match(readQuery(queryBytes('a', { udpSizeBytes: 1232 })), { udpSizeBytes: 1232, hasEdns: true });
  t.match(readQuery(queryBytes('a', { udpSizeBytes: 100 })), { udpSizeBytes: 512, hasEdns: true });
  t.match(readQuery(queryBytes('a', { udpSizeBytes: 65_535 })), { udpSizeBytes: 65_507, hasEdns: true });
});

t.test('a dot in a label is told from one between two', async (t) => {
  const query = queryBytes('aXb.example');
  query[14] = 0x2e;
  t.match(readQuery(query), { name: 'a\\.b.example' });
});

t.test('what is no query has no answer: replies, and less than a header', async (t) => {
  const reply = queryBytes('a');
  reply[2]! |= 0x80;
  t.same(readQuery(reply), { kind: 'none' });
  t.same(readQuery(reply.subarray(0, 11)), { kind: 'none' });
  t.same(readQuery(Buffer.alloc(0)), { kind: 'none' });
});

t.test('other operations than queries are not implemented', async (t) => {
  const notify = queryBytes('a');
  notify[2] = 0x20;
  t.same(readQuery(notify), { kind: 'refused', code: 4 });
});

t.test('what a query may not have is malformed', async (t) => {
  const changed = (change: (query: Buffer) => void): unknown => {
    const query = queryBytes('abc.example', { udpSizeBytes: 1232 });
    change(query);
    return readQuery(query);
  };
  t.same(
    changed((query) => query.writeUInt16BE(0, 4)),
    malformed,
    'no question',
  );
  t.same(
    changed((query) => query.writeUInt16BE(2, 4)),
    malformed,
    'two questions',
  );
  t.same(
    changed((query) => query.writeUInt16BE(1, 6)),
    malformed,
    'an answer',
  );
  t.same(
    changed((query) => query.writeUInt16BE(1, 8)),
    malformed,
    'an authority',
  );
  t.same(
    changed((query) => query.writeUInt16BE(3, 10)),
    malformed,
    'more additional records than there are',
  );
  t.same(
    changed((query) => query.writeUInt16BE(0, 10)),
    malformed,
    'bytes behind the last record',
  );
  t.same(
    changed((query) => query.writeUInt16BE(0xc00c, 12)),
    malformed,
    'a name that points at itself',
  );
  t.same(
    changed((query) => query.writeUInt8(64, 12)),
    malformed,
    'a label of 64 bytes',
  );
  const long = Array.from({ length: 5 }, () => 'x'.repeat(60)).join('.');
  t.same(readQuery(queryBytes(long)), malformed, 'a name of more than 255 bytes');
  const whole = queryBytes('abc.example', { udpSizeBytes: 1232 });
  for (let end = 12; end < whole.length; end++) t.same(readQuery(whole.subarray(0, end)), malformed, `cut at ${end}`);
});

t.test('whatever arrives is read without an error, and a question that is taken is within the message', async () => {
  const mutated = fc.tuple(fc.array(fc.tuple(fc.nat(60), fc.nat(255))), fc.nat(60)).map(([changes, length]) => {
    const query = queryBytes('abc.example.org', { udpSizeBytes: 1232 });
    for (const [at, byte] of changes) if (at < query.length) query[at] = byte;
    return query.subarray(0, Math.max(length, 12));
  });
  const anything = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(anything, mutated), (message) => {
      const query = readQuery(message);
      if (query.kind !== 'query') return true;
      return query.question.length >= 5 && query.question.length <= message.length - 12 && query.name.length < 512;
    }),
    { numRuns: 2000 },
  );
});

t.test('an answer has the id and the question of its query; letters may be of another case', async (t) => {
  const query = queryBytes('Abc.Example', { id: 5 });
  const { question } = readQuery(query) as DnsQuery;
  const reply = replyHead(queryBytes('aBC.exAMPLE', { id: 5 }), readQuestion('aBC.exAMPLE'), 0);
  t.ok(answersQuery(reply, 5, question));
  t.notOk(answersQuery(reply, 6, question), 'another id');
  t.notOk(answersQuery(query, 5, question), 'a query is no answer');
  t.notOk(answersQuery(replyHead(query, readQuestion('abd.example'), 0), 5, question), 'another name');
  t.notOk(answersQuery(replyHead(query, readQuestion('abc.example', 28), 0), 5, question), 'another type');
  t.notOk(answersQuery(reply.subarray(0, 14), 5, question), 'cut off');
});

function readQuestion(name: string, type = 1): Buffer {
  return (readQuery(queryBytes(name, { type })) as DnsQuery).question;
}
