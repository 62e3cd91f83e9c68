// Run by pilot-agent.test.ts in network and mount namespaces of its own: a server with a sidecar of ours, and clients with
// Istio's agent, redirected by the rules of Istio's init container.

import t from 'tap';
import { NODE_IP, type Pod, startMeshSidecar, startNode, startPod } from '../mesh/mesh-node.ts';
import {
  CLIENT_IP,
  documents,
  EARLY_IP,
  meshObjects,
  mutualTls,
  ports,
  SERVER_IP,
  SERVICE_IP,
} from '../mesh/mesh-objects.ts';
import { startIstiod } from './istiod.ts';
import { startPilotAgent } from './pilot-agent.ts';

t.setTimeout(900_000);

const [istiodProgram, agentProgram] = process.argv.slice(2) as [string, string];
const request = `GET /hello HTTP/1.1\r\nHost: server.shop.svc.cluster.local:8080\r\nConnection: close\r\n\r\n`;
/** What an injector writes for istio-init. */
const rules = `istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -x '' -b '*' -d 15090,15021,15020`;

startNode();
const istiod = await startIstiod(t, {
  program: istiodProgram,
  mesh: { defaultProviders: { metrics: ['prometheus'] } },
  address: `${NODE_IP}:0`,
});
await istiod.apply(documents(...meshObjects(), mutualTls('STRICT')));
const server = await startPod(t, { name: 'server', ip: SERVER_IP });
await server.serveHttp(ports.http);
const serverSidecar = startMeshSidecar(t, server, { istiod, serviceAccount: 'server', labels: { app: 'server' } });

async function startClient(name: string, ip: string, variables: Record<string, string>, ...flags: readonly string[]) {
  const pod = await startPod(t, { name, ip });
  // Of both IP versions, as pods of a cluster that has both.
  if (name === 'early') pod.run('ip address add fd00:77::12/64 dev eth0 nodad');
  pod.run(`${agentProgram} ${rules}`);
  const agent = startPilotAgent(t, pod, {
    program: agentProgram,
    istiod,
    arguments: [
      ...['--domain', 'shop.svc.cluster.local', '--proxyLogLevel=warning', '--proxyComponentLogLevel=misc:error'],
      ...['--log_output_level=default:info', ...flags],
    ],
    variables,
  });
  return { pod, agent };
}

async function ask(from: Pod): Promise<string> {
  const text = await from.application.text(SERVICE_IP, ports.http, request);
  if (!text.startsWith('HTTP/1.1 200')) return text;
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).headers['x-forwarded-client-cert'];
}

const drained = { EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '0s' };
const [client, early] = await Promise.all([
  startClient('client', CLIENT_IP, { SECRET_TTL: '8s' }),
  startClient('early', EARLY_IP, drained, '--log_as_json'),
]);
await Promise.all([serverSidecar.ready(), client.agent.ready(), early.agent.ready()]);

t.test('it takes the agent’s flags and bootstrap, and is ready in its words', async (t) => {
  t.same(client.agent.envoyArguments().slice(2), [
    ...['--drain-time-s', '45', '--drain-strategy', 'immediate', '--local-address-ip-version', 'v4'],
    ...['--file-flush-interval-msec', '1000', '--disable-hot-restart', '--allow-unknown-static-fields'],
    ...['-l', 'warning', '--component-log-level', 'misc:error', '--skip-deprecated-logs', '--concurrency', '1'],
  ]);
  t.matchOnly(client.agent.envoyArguments().slice(0, 2), ['-c', /envoy-rev\.json$/]);
  const ready = client.pod.run('curl -s -o /dev/null -w "%{http_code}" http://127.0.0.1:15021/healthz/ready');
  t.equal(ready, '200', 'through the listener of the bootstrap');
  t.notOk(
    client.agent.log.some((line) => line.startsWith('{"level":"error"')),
    'nothing of it is an error',
  );
});

t.test('the certificate that the agent’s socket gives is the one that others see', async (t) => {
  t.match(await ask(client.pod), /URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/client$/);
});

t.test('certificates that the agent renews are taken over, and no request notices', async (t) => {
  const serial = () => JSON.parse(client.agent.admin('/certs')).certificates[0].cert_chain[0].serial_number;
  const seen = new Set<string>([serial()]);
  while (seen.size < 3) {
    const identity = await ask(client.pod);
    if (!/sa\/client$/.test(identity)) t.fail(identity);
    seen.add(serial());
  }
  t.equal(seen.size, 3);
});

t.test('metrics are merged by the agent, which finds ours at 15090', async (t) => {
  const merged = client.pod.run('curl -s http://127.0.0.1:15020/stats/prometheus');
  t.match(merged, /^istio_agent_startup_duration_seconds /m);
  t.match(merged, /^istio_requests_total\{.*destination_service="server\.shop\.svc\.cluster\.local".*\} \d+$/m);
});

t.test('the agent’s own commands find it', async (t) => {
  t.match(JSON.parse(client.pod.run(`${agentProgram} request GET server_info`)), { state: 'LIVE' });
  client.pod.run(`${agentProgram} wait --timeoutSeconds 5`);
});

t.test('a pod that is a native sidecar drains, serves on, and ends at once', async (t) => {
  client.pod.run(`${agentProgram} request --debug-port=15020 POST drain`);
  t.match(await ask(client.pod), /sa\/client$/, 'the application still reaches others');
  t.equal(await client.agent.end(), 0);
  t.ok(client.agent.log.some((line) => line.includes('already drained')));
});

t.test('another, of a pod with both IP versions, drains for its time or until nobody is connected', async (t) => {
  t.match(early.agent.admin('/config_dump'), /"extra_source_addresses": \[\s*\{\s*"address": \{\s*"address": "::6"/);
  t.match(await ask(early.pod), /sa\/early$/);
  t.equal(await early.agent.end(), 0);
  t.ok(early.agent.log.some((line) => line.includes('There are no more active connections')));
});
