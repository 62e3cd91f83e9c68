// Run by names.test.ts in network and mount namespaces of its own: a pod with Istio's rules for DNS and a sidecar, a place
// outside of the mesh that istiod gives a name, and a server of DNS that knows nothing of either.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { startIstiod } from '../istio/istiod.ts';
import { DnsServer } from '../support/dns-server.ts';
import { pause } from '../support/pause.ts';
import { programFile } from '../support/program-file.ts';
import { NODE_IP, startMeshSidecar, startNode, startPod } from './mesh-node.ts';
import { CLIENT_IP, documents, meshObjects, SERVICE_IP, STRANGER_IP } from './mesh-objects.ts';

t.setTimeout(900_000);

const program = process.argv[2]!;
/** What an injector writes for istio-init. */
const initArguments = `istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -x '' -b '*' -d 15090,15021,15020`;
const OUTSIDE_PORT = 8080;

/** A name outside of the mesh, without an address: istiod gives it one. */
function serviceEntry(host: string): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: host.replaceAll('.', '-'), namespace: 'shop' },
    spec: {
      hosts: [host],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: OUTSIDE_PORT, name: 'http', protocol: 'HTTP' }],
      endpoints: [{ address: STRANGER_IP }],
    },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'outrigger-names-'));
t.teardown(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'resolv.conf'), `nameserver ${NODE_IP}\nsearch shop.svc.cluster.local svc.cluster.local\n`);
execFileSync('mount', ['--bind', join(folder, 'resolv.conf'), '/etc/resolv.conf']);

startNode();
const upstream = new DnsServer();
await upstream.listen({ ip: NODE_IP, port: 53 });
t.teardown(() => upstream.close());
const elsewhere = Array.from({ length: 150 }, (_, index) => `n${index}.elsewhere.test`);
upstream.table = Object.fromEntries(elsewhere.map((name) => [name, [{ ip: '192.0.2.1', ttlSeconds: 1 }]]));

// Without a cluster that would have somebody give out addresses, istiod does it by itself, as it always did before 1.25.
process.env['PILOT_ENABLE_IP_AUTOALLOCATE'] = 'false';
const istiod = await startIstiod(t, { program, mesh: {}, address: `${NODE_IP}:0` });
await istiod.apply(documents(...meshObjects(), serviceEntry('api.outside.test')));
const client = await startPod(t, { name: 'client', ip: CLIENT_IP });
const outside = await startPod(t, { name: 'outside', ip: STRANGER_IP });
await outside.serveHttp(OUTSIDE_PORT);
const captured = 'env ISTIO_META_DNS_CAPTURE=true';
client.run(`${captured} ${process.execPath} ${programFile('bpf/main.ts')} ${initArguments}`);
const sidecar = startMeshSidecar(t, client, {
  istiod,
  serviceAccount: 'client',
  labels: { app: 'client' },
  variables: { ISTIO_META_DNS_CAPTURE: 'true', ISTIO_META_DNS_AUTO_ALLOCATE: 'true' },
  capture: 'none',
});
await sidecar.logged('names of the mesh have come');
await sidecar.ready();

/** Runs a shell command in the pod; the server of DNS is in this process, and answers meanwhile. */
async function there(command: string): Promise<string> {
  const args = ['--target', String(client.holder), '--net', 'sh', '-c', command];
  return (await promisify(execFile)('nsenter', args)).stdout;
}

/** The first address that an application gets, or nothing. */
async function resolve(name: string, environment = ''): Promise<string> {
  return (await there(`${environment} getent ahostsv4 ${name} || true`)).split(/\s/)[0]!;
}

/** Counters of the sidecar by their names without what they have in common. */
function counted(name: string): number {
  const line = sidecar.admin('/stats/prometheus').match(new RegExp(`^outrigger_dns_${name}\\S* (\\d+)$`, 'm'));
  return Number(line?.[1] ?? 0);
}

t.test('a place outside that has no address is reached by its name, through the sidecar', async (t) => {
  t.match(await resolve('api.outside.test'), /^240\.240\./);
  const answer = JSON.parse(await there(`curl -s --fail http://api.outside.test:${OUTSIDE_PORT}/hello`));
  t.match(answer, { url: '/hello', headers: { host: `api.outside.test:${OUTSIDE_PORT}` } });
  t.match(answer.headers, { 'x-request-id': /./ }, 'by way of the sidecar');
  t.match(
    sidecar.admin('/stats?usedonly&filter=api.outside.test.*upstream_rq_200'),
    /^cluster\.outbound\|8080\|\|api\.outside\.test.*external\.upstream_rq_200: 1$/m,
  );
  t.same(
    upstream.questions.filter((question) => question.includes('outside')),
    [],
    'nobody else was asked',
  );
});

t.test('services have all their names, over UDP and TCP', async (t) => {
  for (const name of ['server', 'server.shop', 'server.shop.svc', 'server.shop.svc.cluster.local']) {
    t.equal(await resolve(name), SERVICE_IP, name);
  }
  t.equal(await resolve('server', 'RES_OPTIONS=use-vc'), SERVICE_IP);
});

t.test('what the mesh does not know is asked of the servers of the pod', async (t) => {
  t.equal(await resolve('n0.elsewhere.test'), '192.0.2.1');
  t.equal(await resolve('nowhere.test'), '');
  t.ok(upstream.questions.includes('nowhere.test A'));
});

t.test('ports that applications asked from and that we ask from are not taken for each other', async (t) => {
  // So few that both have to take the same ones, within the time for which connections of UDP are remembered.
  await there('echo 40000 40099 > /proc/sys/net/ipv4/ip_local_port_range');
  const names = elsewhere.join(' ');
  const found = await there(`for name in ${names}; do getent ahostsv4 $name | head -1; done`);
  t.equal(found.split('\n').filter((line) => line.startsWith('192.0.2.1')).length, elsewhere.length);
  for (const _ of elsewhere.slice(0, 50)) t.match(await resolve('api.outside.test'), /^240\.240\./);
  t.equal(counted('returned_total'), 0);
  t.equal(counted('failed_total'), 0);
});

t.test('a name that is new is known soon, and all are when istiod has gone', async (t) => {
  t.equal(await resolve('late.outside.test'), '');
  await istiod.apply(documents(serviceEntry('late.outside.test')));
  while ((await resolve('late.outside.test')) === '') await pause();
  t.match(await resolve('late.outside.test'), /^240\.240\./);
  await istiod.stop();
  t.match(await resolve('api.outside.test'), /^240\.240\./);
  t.match(sidecar.admin('/xds'), /istio\.networking\.nds\.v1\.NameTable\n.*holds 1\n/);
});
