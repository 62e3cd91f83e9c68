// The whole of it on loopback, asked by a resolver of its own: c-ares, as applications on Node do.

import { Resolver } from 'node:dns/promises';
import t from 'tap';
import type { NameTable } from '../../../config/name-table.ts';
import { DnsProxy } from '../../../proxy/dns/dns-proxy.ts';
import { dnsStats } from '../../../proxy/telemetry/dns-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { DnsServer } from '../../support/dns-server.ts';

const names: NameTable = new Map([
  [
    'cart.shop.svc.cluster.local',
    { ipv4: ['10.0.0.1'], ipv6: [], service: { name: 'cart', namespace: 'shop' }, aliases: [] },
  ],
  ['api.example', { ipv4: ['240.240.0.1'], ipv6: ['2001:2::1'], service: undefined, aliases: [] }],
]);

t.test('an application resolves names of the mesh, and all others', async (t) => {
  const upstream = new DnsServer();
  upstream.table = { 'example.net': [{ ip: '192.0.2.1', ttlSeconds: 5 }] };
  const { port: upstreamPort } = await upstream.listen();
  t.teardown(() => upstream.close());
  const lines: string[] = [];
  const proxy = new DnsProxy({
    namespace: 'shop',
    domain: 'shop.svc.cluster.local',
    resolvConf: 'nameserver 127.0.0.1\nsearch shop.svc.cluster.local\n',
    upstreamPort,
    random: () => 0,
    nowMs: () => 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    stats: new WorkerStats(() => undefined).block(dnsStats),
    log: { info: (_facts: object, text: string) => lines.push(text) } as never,
  });
  const port = await proxy.listen(0);
  t.teardown(() => proxy.close());
  const resolver = new Resolver({ tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  await t.rejects(resolver.resolve4('api.example'), { code: 'ESERVFAIL' }, 'the names have not come');
  proxy.use(names);
  t.same(lines, ['names are answered', 'names of the mesh have come']);
  t.same(await resolver.resolve4('api.example'), ['240.240.0.1']);
  t.same(await resolver.resolve6('API.example'), ['2001:2::1']);
  t.same(await resolver.resolve4('cart'), ['10.0.0.1']);
  t.same(await resolver.resolve4('api.example.shop.svc.cluster.local'), ['240.240.0.1'], 'by way of another name');
  await t.rejects(resolver.resolve6('cart'), { code: 'ENODATA' });
  t.same(upstream.questions, []);
  t.same(await resolver.resolve4('example.net'), ['192.0.2.1']);
  await t.rejects(resolver.resolve4('nowhere.example'), { code: 'ENOTFOUND' });
  resolver.setServers([`[::1]:${port}`]);
  t.same(await resolver.resolve4('cart.shop'), ['10.0.0.1'], 'over IPv6');
});
