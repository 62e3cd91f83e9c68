import fc from 'fast-check';
import t from 'tap';
import { compileAuthorityNormalizer, hostOf, isValidAuthority, portStart } from '../../../proxy/http/authority.ts';

t.test('a host is a name, an IPv4 address or an IPv6 literal, with or without a port', async (t) => {
  for (const authority of [
    'a',
    'shop.example',
    'shop.example:80',
    '10.0.0.1:65535',
    '[::1]',
    '[fe80::1]:443',
    'a_b',
    'a:',
  ])
    t.equal(isValidAuthority(authority), true, authority);
});

t.test('what could mean another host to somebody else is none', async (t) => {
  const wrong = [
    '',
    ':80',
    'a b',
    'user@a',
    'a,b',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a:65536',
    'a:80:80',
    'a:-1',
    '[::1',
    '[]',
    '[:]',
    '[::1]x',
    '[::1]:x',
    '[g::1]',
    '::1',
    'a\u0000',
    'é',
  ];
  for (const authority of wrong) t.equal(isValidAuthority(authority), false, JSON.stringify(authority));
});

t.test('no text with a delimiter of another part of a URL passes', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab0:.[]@/?#,% '), maxLength: 12 });
  fc.assert(
    fc.property(text, (authority) => !isValidAuthority(authority) || !/[@/?#, ]/.test(authority)),
    { numRuns: 2000 },
  );
});

t.test('the port starts behind the host, also behind an IPv6 literal', async (t) => {
  t.equal(portStart('a:80'), 1);
  t.equal(portStart('a'), -1);
  t.equal(portStart('[::1]'), -1);
  t.equal(portStart('[::1]:80'), 5);
});

t.test('without options the authority stays', async (t) => {
  const normalize = compileAuthorityNormalizer({ stripPort: 'none', stripTrailingHostDot: false });
  t.equal(normalize('shop.example.:80', 80), 'shop.example.:80');
});

t.test('strip_matching_host_port cuts the port of the listener only', async (t) => {
  const normalize = compileAuthorityNormalizer({ stripPort: 'matching', stripTrailingHostDot: false });
  t.equal(normalize('a:80', 80), 'a');
  t.equal(normalize('a:0080', 80), 'a');
  t.equal(normalize('a:81', 80), 'a:81');
  t.equal(normalize('[::1]:80', 80), '[::1]');
  t.equal(normalize('[::1]', 80), '[::1]');
});

t.test('strip_any_host_port cuts every port', async (t) => {
  const normalize = compileAuthorityNormalizer({ stripPort: 'any', stripTrailingHostDot: false });
  t.equal(normalize('a:81', 80), 'a');
  t.equal(normalize('[::1]:81', 80), '[::1]');
  t.equal(normalize('a', 80), 'a');
});

t.test('strip_trailing_host_dot cuts one dot, before a port too', async (t) => {
  const normalize = compileAuthorityNormalizer({ stripPort: 'none', stripTrailingHostDot: true });
  t.equal(normalize('shop.example.', 80), 'shop.example');
  t.equal(normalize('shop.example.:81', 80), 'shop.example:81');
  t.equal(normalize('shop.example', 80), 'shop.example');
  const both = compileAuthorityNormalizer({ stripPort: 'matching', stripTrailingHostDot: true });
  t.equal(both('shop.example.:80', 80), 'shop.example');
});

t.test('the host of an authority is without port and brackets, in lower case', (t) => {
  t.equal(hostOf('A.Test:443'), 'a.test');
  t.equal(hostOf('a.test'), 'a.test');
  t.equal(hostOf('[2001:DB8::1]:443'), '2001:db8::1');
  t.equal(hostOf('[::1]'), '::1');
  t.end();
});
