import t from 'tap';
import { compileRouteTable } from '../../../proxy/route/route-table.ts';
import { StepCounter } from '../../support/counted-steps.ts';
import { matchContext, request, route, routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

const context = { suppressEnvoyHeaders: false };
const counter = await StepCounter.begin();
t.teardown(() => counter.end());

function virtualHostName(domains: readonly (readonly string[])[], authority: string, ignorePort = false) {
  const virtualHosts = domains.map((list) => virtualHost({ name: list[0]!, domains: list }));
  const config = routeConfiguration({ virtualHosts, ignorePortInHostMatching: ignorePort });
  return compileRouteTable(config, context).findVirtualHost(authority)?.config.name ?? null;
}

t.test('a virtual host is found by its domain, the most specific first', async (t) => {
  const domains = [
    ['www.example.com'],
    ['*.example.com', '*-eu.example.com'],
    ['www.*', 'www.example.*'],
    ['shop.example:8080'],
    ['[::1]:80'],
    ['*'],
  ];
  for (const [authority, expected] of [
    ['www.example.com', 'www.example.com'],
    ['WWW.Example.COM', 'www.example.com'],
    ['api.example.com', '*.example.com'],
    ['a.b.example.com', '*.example.com'],
    ['.example.com', '*'],
    ['example.com', '*'],
    ['www.example.net', 'www.*'],
    ['www.', '*'],
    ['shop.example:8080', 'shop.example:8080'],
    ['shop.example', '*'],
    ['www.example.com:80', 'www.*'],
    ['[::1]:80', '[::1]:80'],
  ] as const) {
    t.equal(virtualHostName(domains, authority), expected, authority);
  }
});

t.test('a suffix domain wins over a prefix domain, and the longest of each wins', async (t) => {
  t.equal(virtualHostName([['*.com'], ['*.example.com'], ['www.*']], 'www.example.com'), '*.example.com');
  t.equal(virtualHostName([['w*'], ['www.*']], 'www.example.com'), 'www.*');
});

t.test('without a domain that fits there is no virtual host', async (t) => {
  t.equal(virtualHostName([['a'], ['*.b']], 'c'), null);
  t.equal(virtualHostName([['a'], ['*']], ''), null, 'no authority, and there is a choice');
  t.equal(virtualHostName([['*']], ''), '*', 'no authority, and there is none');
});

t.test('the port is part of the authority unless it is to be ignored', async (t) => {
  t.equal(virtualHostName([['a'], ['*']], 'a:80'), '*');
  t.equal(virtualHostName([['a'], ['*']], 'a:80', true), 'a');
  t.equal(virtualHostName([['a:80'], ['*']], 'a:80', true), '*');
  t.equal(virtualHostName([['[::1]'], ['*']], '[::1]', true), '[::1]');
  t.equal(virtualHostName([['[::1]'], ['*']], '[::1]:443', true), '[::1]');
});

t.test('authorities in turn do not disturb each other', async (t) => {
  const virtualHosts = ['a', 'b'].map((name) => virtualHost({ name, domains: [name] }));
  const table = compileRouteTable(routeConfiguration({ virtualHosts }), context);
  const names = ['a', 'b', 'c', 'a', 'A', '', 'b'].map((authority) => table.findVirtualHost(authority)?.config.name);
  t.same(names, ['a', 'b', undefined, 'a', 'a', undefined, 'b']);
});

t.test('a request gets the first route of its virtual host, and an explanation says so', async (t) => {
  const virtualHosts = [
    virtualHost({ name: 'a', domains: ['a'], routes: [route({ name: 'of a' })] }),
    virtualHost({ name: 'none', domains: ['none'], routes: [] }),
  ];
  const table = compileRouteTable(routeConfiguration({ virtualHosts }), context);
  const ask = (authority: string) => table.match(request({ authority }), matchContext())?.name ?? null;
  t.equal(ask('a'), 'of a');
  t.equal(ask('none'), null);
  t.equal(ask('other'), null);
  t.same(table.explain(request({ authority: 'A' }), matchContext()), {
    virtualHost: 'a',
    routes: [{ route: 'of a', rejection: null }],
  });
  t.same(table.explain(request({ authority: 'other' }), matchContext()), { virtualHost: null, routes: [] });
});

t.test('a virtual host of 5,000 is looked up in as many steps as one of 50', async (t) => {
  const stepsAmong = async (count: number): Promise<number> => {
    const virtualHosts = Array.from({ length: count }, (_, index) => {
      const name = `host-${String(index).padStart(4, '0')}`;
      return virtualHost({ name, domains: [`${name}.example`, `*.${name}.suffix`, `${name}.prefix.*`] });
    });
    const table = compileRouteTable(routeConfiguration({ virtualHosts }), context);
    const last = virtualHosts.at(-1)!.name;
    t.equal(table.findVirtualHost('none.example'), null, 'the first look-up fills the tables');
    const found: (string | undefined)[] = [];
    const steps = await counter.count('/proxy/route/route-table.ts', () => {
      for (const authority of [`${last}.example`, `a.${last}.suffix`, `${last}.prefix.a`, 'none']) {
        found.push(table.findVirtualHost(authority)?.config.name);
      }
    });
    t.same(found, [last, last, last, undefined]);
    return steps;
  };
  const few = await stepsAmong(50);
  const many = await stepsAmong(5000);
  t.ok(few > 4, `${few} steps were counted`);
  t.ok(many <= few, `${many} steps among 5,000, ${few} among 50`);
});
