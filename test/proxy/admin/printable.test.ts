import fc from 'fast-check';
import t from 'tap';
import { cut, printable } from '../../../proxy/admin/printable.ts';

t.test('what ends a line, moves a terminal or turns text around is written as an escape', (t) => {
  t.equal(printable('a\nb\r\tc\x1b[31m\x7f\x00'), 'a\\x0ab\\x0d\\x09c\\x1b[31m\\x7f\\x00');
  t.equal(printable('\u0085\u009b31m'), '\\x85\\x9b31m');
  t.equal(printable('\u2028\u2029\u202e\u2066\u200f'), '\\u2028\\u2029\\u202e\\u2066\\u200f');
  t.end();
});

t.test('everything else stays', (t) => {
  const text = `GET /a b "'\\{}<script>é ß 中 🦊 👩\u200d🚀`;
  t.equal(printable(text), text);
  t.end();
});

t.test('a long text is cut between two characters', (t) => {
  t.equal(cut('abcd', 4), 'abcd');
  t.equal(cut('abcde', 4), 'abc…');
  t.equal(cut('ab🦊de', 4), 'ab…');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 9 }), (text, most) => {
      const short = cut(text, most);
      return short.length <= most && short.isWellFormed();
    }),
  );
  t.end();
});
