import t from 'tap';
import type { NamedHost } from '../../../config/name-table.ts';
import { NameLookup } from '../../../proxy/dns/name-lookup.ts';

function hostOf(ip: string, service?: NamedHost['service'], aliases: readonly string[] = []): NamedHost {
  return { ipv4: [ip], ipv6: [], service, aliases };
}

const cart = hostOf('10.0.0.1', { name: 'cart', namespace: 'shop' }, ['basket']);
const bank = hostOf('10.0.0.2', { name: 'bank', namespace: 'money' });
const remote = hostOf('10.0.0.3', { name: 'far', namespace: 'shop' });
const api = hostOf('240.240.0.1');
const wild = hostOf('240.240.0.2');
const deep = hostOf('240.240.0.3');

function lookupOf(more: ReadonlyMap<string, NamedHost> = new Map()): NameLookup {
  const lookup = new NameLookup({
    namespace: 'shop',
    domain: 'shop.svc.cluster.local',
    searchDomains: ['shop.svc.cluster.local', 'svc.cluster.local'],
  });
  const table = new Map([
    ['cart.shop.svc.cluster.local', cart],
    ['bank.money.svc.cluster.local', bank],
    ['far.shop.svc.other.local', remote],
    ['api.example.com', api],
    ['*.example.org', wild],
    ['*.deep.example.org', deep],
    ...more,
  ]);
  lookup.use(table);
  return lookup;
}

t.test('a service has its full name and shorter ones; the shortest in its own namespace alone', async (t) => {
  const lookup = lookupOf();
  const hostAt = (name: string) => lookup.find(name)?.host;
  for (const name of ['cart', 'cart.shop', 'cart.shop.svc', 'cart.shop.svc.cluster.local', 'basket']) {
    t.equal(hostAt(name), cart, name);
  }
  for (const name of ['bank.money', 'bank.money.svc', 'bank.money.svc.cluster.local'])
    t.equal(hostAt(name), bank, name);
  t.equal(hostAt('bank'), undefined);
  t.equal(hostAt('cart.shop.svc.cluster'), undefined);
});

t.test('namespaces and pods may be called as the parts of a cluster’s domain are', async (t) => {
  const odd = hostOf('10.0.0.4', { name: 'dns', namespace: 'svc' });
  const pod = hostOf('10.0.0.5', { name: 'first.svc', namespace: 'shop' });
  const lookup = lookupOf(
    new Map([
      ['dns.svc.svc.cluster.local', odd],
      ['first.svc.shop.svc.cluster.local', pod],
    ]),
  );
  for (const name of ['dns.svc', 'dns.svc.svc']) t.equal(lookup.find(name)?.host, odd, name);
  for (const name of ['first.svc', 'first.svc.shop', 'first.svc.shop.svc']) t.equal(lookup.find(name)?.host, pod, name);
  for (const name of ['dns', 'svc', '.svc', 'cart.svc', '*.shop']) t.equal(lookup.find(name), undefined, name);
});

t.test('a service of another cluster has its full name alone', async (t) => {
  const lookup = lookupOf();
  t.equal(lookup.find('far.shop.svc.other.local')?.host, remote);
  t.equal(lookup.find('far'), undefined);
  t.equal(lookup.find('far.shop'), undefined);
});

t.test('a name with the first search domain behind it is that name', async (t) => {
  const lookup = lookupOf();
  const suffix = '.shop.svc.cluster.local';
  t.same(lookup.find(`api.example.com${suffix}`), { host: api, searchLength: suffix.length });
  t.same(lookup.find(`bank.money${suffix}`), { host: bank, searchLength: suffix.length });
  t.same(lookup.find(`cart${suffix}`), { host: cart, searchLength: 0 }, 'its own name');
  t.equal(lookup.find('api.example.com.svc.cluster.local'), undefined, 'the second one is not tried');
  t.equal(lookup.find(`cart${suffix}${suffix}`), undefined, 'not twice');
});

t.test('a wildcard stands for what is below it, the longest first, and not for itself', async (t) => {
  const lookup = lookupOf();
  const suffix = '.shop.svc.cluster.local';
  t.same(lookup.find('a.example.org'), { host: wild, searchLength: 0 });
  t.same(lookup.find('a.b.example.org'), { host: wild, searchLength: 0 });
  t.same(lookup.find('a.deep.example.org'), { host: deep, searchLength: 0 });
  t.same(lookup.find(`a.example.org${suffix}`), { host: wild, searchLength: suffix.length });
  t.equal(lookup.find('example.org'), undefined);
  t.equal(lookup.find('example.net'), undefined);
  t.equal(lookup.find(''), undefined);
});

t.test('what is written out goes before what a service is short for', async (t) => {
  const other = hostOf('240.240.0.9');
  t.equal(lookupOf(new Map([['cart.shop', other]])).find('cart.shop')?.host, other);
});

t.test('without search domains names are as they are; a new table takes the place of the old one', async (t) => {
  const lookup = new NameLookup({ namespace: 'shop', domain: 'svc.cluster.local', searchDomains: [] });
  t.notOk(lookup.isReady);
  t.equal(lookup.find('cart'), undefined);
  lookup.use(new Map([['cart.shop.svc.cluster.local', cart]]));
  t.ok(lookup.isReady);
  t.equal(lookup.size, 1, 'as they were told');
  t.same(lookup.find('cart'), { host: cart, searchLength: 0 });
  lookup.use(new Map());
  t.ok(lookup.isReady, 'a mesh may have no names');
  t.equal(lookup.find('cart'), undefined);
});
