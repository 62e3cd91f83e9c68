import fc from 'fast-check';
import t from 'tap';
import { formatPortRange, hasPort, parsePortRange } from '../../../bpf/capture/port-range.ts';

const port = fc.integer({ min: 1, max: 65535 });

t.test('a port, and a range in both spellings', (t) => {
  t.same(parsePortRange(80), { first: 80, last: 80 });
  t.same(parsePortRange('80'), { first: 80, last: 80 });
  t.same(parsePortRange('8000-8010'), { first: 8000, last: 8010 });
  t.same(parsePortRange('8000:8010'), { first: 8000, last: 8010 });
  t.same(parsePortRange('1-65535'), { first: 1, last: 65535 });
  t.end();
});

t.test('what is no port is refused', (t) => {
  const wrong = [
    0,
    65536,
    -1,
    1.5,
    Number.NaN,
    '0',
    '00080',
    '80-',
    '-80',
    '90-80',
    '80-65536',
    '80 - 90',
    'http',
    '*',
  ];
  for (const value of [...wrong, '', null, undefined, [80], { first: 80 }, true, '1e3', '0x50'])
    t.equal(parsePortRange(value), undefined, String(value));
  t.end();
});

t.test('what is written is read again', (t) => {
  fc.assert(
    fc.property(port, port, (a, b) => {
      const range = { first: Math.min(a, b), last: Math.max(a, b) };
      t.same(parsePortRange(formatPortRange(range)), range);
      return hasPort([range], a) && hasPort([range], b) && !hasPort([range], range.last + 1);
    }),
  );
  t.end();
});

t.test('no text makes the reader fail otherwise than by saying no', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const range = parsePortRange(text);
      return range === undefined || (range.first >= 1 && range.first <= range.last && range.last <= 65535);
    }),
  );
  t.end();
});
