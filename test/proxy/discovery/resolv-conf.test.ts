import fc from 'fast-check';
import t from 'tap';
import { parseNameServers, parseSearchRules, searchNames } from '../../../proxy/discovery/resolv-conf.ts';

t.test('reads search domains and ndots; the last line counts', (t) => {
  t.same(parseSearchRules(''), { domains: [], minDots: 1 });
  t.same(
    parseSearchRules(
      'nameserver 10.0.0.10\ndomain old.test\nsearch shop.svc.cluster.local svc.cluster.local.\noptions edns0 ndots:5\n',
    ),
    { domains: ['shop.svc.cluster.local', 'svc.cluster.local'], minDots: 5 },
  );
  t.same(parseSearchRules('search a b\ndomain c d # e\n; search f').domains, ['c']);
  t.equal(parseSearchRules('options ndots:99').minDots, 15);
  t.end();
});

t.test('reads three name servers at most, and what is an address alone', (t) => {
  t.same(parseNameServers('# nameserver 1.1.1.1\nsearch a\nnameserver 10.0.0.10\n nameserver\tfd00::a # b\n'), [
    '10.0.0.10',
    'fd00::a',
  ]);
  t.same(parseNameServers('nameserver dns.example\nnameserver\n'), []);
  t.equal(parseNameServers('nameserver 10.0.0.1\n'.repeat(5)).length, 3);
  t.end();
});

t.test('short names are tried in the search domains first, long ones last', (t) => {
  const rules = { domains: ['shop.local', 'local'], minDots: 2 };
  t.same(searchNames('fruit', rules), ['fruit.shop.local', 'fruit.local', 'fruit']);
  t.same(searchNames('fruit.bread.test', rules), [
    'fruit.bread.test',
    'fruit.bread.test.shop.local',
    'fruit.bread.test.local',
  ]);
  t.same(searchNames('fruit.', rules), ['fruit']);
  t.same(searchNames('fruit', { domains: ['', ''], minDots: 1 }), ['fruit']);
  t.end();
});

t.test('takes any text', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const { domains, minDots } = parseSearchRules(text);
      return domains.every((domain) => !/\s/.test(domain)) && minDots >= 0 && minDots <= 15;
    }),
  );
  t.end();
});
