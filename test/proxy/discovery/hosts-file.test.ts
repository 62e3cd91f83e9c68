import { rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { parseHosts, watchHosts } from '../../../proxy/discovery/hosts-file.ts';

t.test('reads names and aliases of both families, whatever the spacing, case and comments', (t) => {
  const hosts = parseHosts(
    '# local\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # six\r\n10.0.0.1 Fruit.Test fruit\n10.0.0.2 fruit\n10.0.0.1 fruit\n',
  );
  t.same(hosts.get('localhost'), { ipv4: ['127.0.0.1'], ipv6: ['::1'] });
  t.same(hosts.get('ip6-localhost'), { ipv4: [], ipv6: ['::1'] });
  t.same(hosts.get('fruit.test'), { ipv4: ['10.0.0.1'], ipv6: [] });
  t.same(hosts.get('fruit'), { ipv4: ['10.0.0.1', '10.0.0.2'], ipv6: [] });
  t.end();
});

t.test('passes over what is no address', (t) => {
  t.equal(parseHosts('fruit 10.0.0.1\n10.0.0.256 bread\nfe80::1%lo0 link\n\n10.0.0.1\n').size, 0);
  t.end();
});

t.test('takes any text', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      for (const name of parseHosts(text).keys()) if (name === '' || /[\s#]/.test(name)) return false;
      return true;
    }),
  );
  t.end();
});

t.test('sees that the file was written or went away', (t) => {
  const path = `${t.testdir({})}/hosts`;
  const hosts = watchHosts(path);
  t.equal(hosts().size, 0);
  writeFileSync(path, '10.0.0.1 fruit\n');
  const first = hosts();
  t.same(first.get('fruit')?.ipv4, ['10.0.0.1']);
  t.equal(hosts(), first, 'and is not read again without need');
  writeFileSync(path, '10.0.0.1 fruit\n10.0.0.2 bread\n');
  t.same(hosts().get('bread')?.ipv4, ['10.0.0.2']);
  rmSync(path);
  t.equal(hosts().size, 0);
  t.end();
});
