// DNS clusters, from a bootstrap on disk to a request that reaches what a name stands for now.

import t, { type Test } from 'tap';
import { DnsServer } from '../support/dns-server.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { pause } from '../support/pause.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';

async function startDns(t: Test): Promise<{ server: DnsServer; settings: object }> {
  const server = new DnsServer();
  const { port } = await server.listen();
  t.teardown(() => server.close());
  const settings = {
    dns_lookup_family: 'V4_ONLY',
    dns_refresh_rate: '0.02s',
    dns_failure_refresh_rate: { base_interval: '0.02s', max_interval: '0.02s' },
    typed_dns_resolver_config: {
      name: 'cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        resolvers: [socketAddress(port)],
      },
    },
  };
  return { server, settings };
}

function startBefore(t: Test, cluster: object): Promise<Sidecar> {
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('named')] }];
  return startSidecar(t, { bootstrap: { static_resources: { listeners, clusters: [cluster] } } });
}

async function get(sidecar: Sidecar): Promise<string> {
  return (await fetch(`http://127.0.0.1:${sidecar.port('http')}/`)).text();
}

/** Asks until an answer is as wanted: the cluster is resolved again behind every few requests. */
async function until(sidecar: Sidecar, isWanted: (answers: ReadonlySet<string>) => boolean): Promise<void> {
  for (;;) {
    const answers = new Set<string>();
    for (let request = 0; request < 10; request++) answers.add(await get(sidecar));
    if (isWanted(answers)) return;
  }
}

async function stat(sidecar: Sidecar, name: string): Promise<number> {
  const text = await sidecar.admin(`/stats?filter=^${name}$`);
  return Number(text.slice(text.indexOf(':') + 1));
}

/** Resolves when this counter has grown. */
async function grown(sidecar: Sidecar, name: string): Promise<void> {
  const before = await stat(sidecar, name);
  while ((await stat(sidecar, name)) <= before) await pause();
}

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

t.test('a strict cluster follows its name: more addresses, others, none, and failures', async (t) => {
  const { server, settings } = await startDns(t);
  const port = await startNamedOrigin(t, 'one', '127.0.0.1');
  await startNamedOrigin(t, 'two', '127.0.0.2', port);
  server.table = { 'app.test': [{ ip: '127.0.0.1', ttlSeconds: 60 }] };
  const sidecar = await startBefore(t, clusterAt('named', port, { type: 'STRICT_DNS', ...settings }, 'app.test'));
  t.equal(await get(sidecar), 'one', 'the listener began when the name was resolved');

  server.table = {
    'app.test': [
      { ip: '127.0.0.1', ttlSeconds: 60 },
      { ip: '127.0.0.2', ttlSeconds: 60 },
    ],
  };
  await until(sidecar, (answers) => answers.has('one') && answers.has('two'));
  server.table = { 'app.test': [{ ip: '127.0.0.2', ttlSeconds: 60 }] };
  await until(sidecar, (answers) => answers.size === 1 && answers.has('two'));
  t.equal(await stat(sidecar, 'cluster.named.membership_change'), 3);
  t.match(await sidecar.admin('/clusters'), `named::127.0.0.2:${port}::cx_total::`);

  server.table = { 'app.test': 'broken' };
  await grown(sidecar, 'cluster.named.update_failure');
  t.equal(await get(sidecar), 'two', 'a failure keeps the last addresses');

  server.table = {};
  await grown(sidecar, 'cluster.named.update_empty');
  await until(sidecar, (answers) => [...answers].every((answer) => answer.includes('no healthy')));
  t.equal(await stat(sidecar, 'cluster.named.membership_total'), 0);
});

t.test('a logical cluster over IPv6 has the first address', async (t) => {
  const { server, settings } = await startDns(t);
  const port = await startNamedOrigin(t, 'six', '::1');
  server.table = {
    'app.test': [
      { ip: '::1', ttlSeconds: 60 },
      { ip: '127.0.0.1', ttlSeconds: 60 },
    ],
  };
  const cluster = { type: 'LOGICAL_DNS', ...settings, dns_lookup_family: 'V6_ONLY' };
  const sidecar = await startBefore(t, clusterAt('named', port, cluster, 'app.test'));
  t.equal(await get(sidecar), 'six');
  t.same([...new Set(server.questions)], ['app.test AAAA']);
});

t.test('the time to live of an answer decides when the next question comes', async (t) => {
  const { server, settings } = await startDns(t);
  const port = await startNamedOrigin(t, 'one');
  server.table = { 'app.test': [{ ip: '127.0.0.1', ttlSeconds: 3600 }], 'other.test': [] };
  const cluster = clusterAt('named', port, { type: 'STRICT_DNS', ...settings, respect_dns_ttl: true }, 'app.test');
  const other = clusterAt('other', port, { type: 'STRICT_DNS', ...settings }, 'other.test');
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('named')] }];
  const sidecar = await startSidecar(t, { bootstrap: { static_resources: { listeners, clusters: [cluster, other] } } });
  for (let times = 0; times < 5; times++) await grown(sidecar, 'cluster.other.update_attempt');
  t.equal(await stat(sidecar, 'cluster.named.update_attempt'), 1);
  t.equal(await get(sidecar), 'one');
});

t.test('names of the machine need no DNS server', async (t) => {
  const port = await startNamedOrigin(t, 'local');
  const cluster = { type: 'STRICT_DNS', dns_lookup_family: 'V4_ONLY' };
  const sidecar = await startBefore(t, clusterAt('named', port, cluster, 'localhost'));
  t.equal(await get(sidecar), 'local');
});

t.test('serving begins though a name cannot be resolved', async (t) => {
  const { server, settings } = await startDns(t);
  const port = await startNamedOrigin(t, 'late');
  server.table = { 'app.test': 'broken' };
  const sidecar = await startBefore(t, clusterAt('named', port, { type: 'STRICT_DNS', ...settings }, 'app.test'));
  t.match(await get(sidecar), /no healthy/);
  server.table = { 'app.test': [{ ip: '127.0.0.1', ttlSeconds: 60 }] };
  await until(sidecar, (answers) => answers.size === 1 && answers.has('late'));
});
