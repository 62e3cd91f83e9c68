// Run by injected-sidecar.test.ts in network and mount namespaces of its own: `… ISTIOD ours|PILOT_AGENT`. The mesh is STRICT, so
// that whatever a sidecar sends to its own pod through its own listener is refused.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { NODE_IP, type Pod, startMeshSidecar, startNode, startPod } from '../mesh/mesh-node.ts';
import { CLIENT_IP, documents, meshObjects, mutualTls, ports, SERVER_IP, SERVICE_IP } from '../mesh/mesh-objects.ts';
import { programFile } from '../support/program-file.ts';
import { startIstiod } from './istiod.ts';

t.setTimeout(900_000);

const [istiodProgram, rules] = process.argv.slice(2) as [string, string];
const request = 'GET /hello HTTP/1.1\r\nHost: server.shop.svc.cluster.local:8080\r\nConnection: close\r\n\r\n';
/** What an injector writes for istio-init. */
const initArguments = `istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -x '' -b '*' -d 15090,15021,15020 --log_output_level=default:info`;

const folder = mkdtempSync(join(tmpdir(), 'outrigger-injected-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const pilotAgent = join(folder, 'pilot-agent');
// As bin/outrigger does.
writeFileSync(
  pilotAgent,
  `#!/bin/sh\nmain=${programFile('proxy/main.ts')}\n[ "$1" = istio-iptables ] && main=${programFile('bpf/main.ts')}\nexec ${process.execPath} "$main" "$@"\n`,
  { mode: 0o755 },
);

startNode();
const istiod = await startIstiod(t, { program: istiodProgram, mesh: {}, address: `${NODE_IP}:0` });
await istiod.apply(documents(...meshObjects(), mutualTls('STRICT')));

const probes = {
  '/app-health/app/livez': { httpGet: { path: '/live', port: ports.http } },
  '/app-health/app/readyz': { tcpSocket: { port: ports.http } },
  '/app-lifecycle/app/prestopz': { httpGet: { path: '/bye', port: ports.http } },
};

async function startInjected(name: string, ip: string) {
  const pod = await startPod(t, { name, ip });
  await pod.serveHttp(ports.http);
  pod.run(`${rules === 'ours' ? pilotAgent : rules} ${initArguments}`);
  const sidecar = startMeshSidecar(t, pod, {
    istiod,
    serviceAccount: name,
    labels: { app: name },
    variables: { ISTIO_KUBE_APP_PROBERS: JSON.stringify(probes) },
    capture: 'none',
  });
  return { pod, sidecar };
}

/** The hook that holds an application back: resolves with how it ended, and what it said. */
async function wait(pod: Pod, timeoutSeconds: number): Promise<readonly [code: number, said: string]> {
  // An answer is an answer, however slow the machine is.
  const command = [pilotAgent, 'wait', `--timeoutSeconds=${timeoutSeconds}`, '--requestTimeoutMillis=60000'];
  const hook = spawn('nsenter', ['--target', String(pod.holder), '--net', ...command]);
  const [said, [code]] = await Promise.all([text(hook.stderr), once(hook, 'close')]);
  return [code, said];
}

/** As the kubelet asks, from outside of the pod. */
async function ask(ip: string, port: number, path: string): Promise<readonly [number, string]> {
  const response = await fetch(`http://${ip}:${port}${path}`);
  return [response.status, await response.text()];
}

const [server, client] = await Promise.all([startInjected('server', SERVER_IP), startInjected('client', CLIENT_IP)]);

t.test('the hook that holds the application back ends when the sidecar is ready', async (t) => {
  t.same(await Promise.all([wait(server.pod, 600), wait(client.pod, 600)]), [
    [0, ''],
    [0, ''],
  ]);
  t.same(await ask(SERVER_IP, 15_021, '/healthz/ready'), [200, 'LIVE\n']);
});

t.test('pods reach each other by mutual TLS, and nobody else reaches them', async (t) => {
  const answer = await client.pod.application.text(SERVICE_IP, ports.http, request);
  t.match(answer, /^HTTP\/1\.1 200/);
  t.match(answer, /URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/client/);
  await t.rejects(ask(SERVER_IP, ports.http, '/'));
});

t.test('probes and hooks of the application pass the redirection of its own pod', async (t) => {
  for (const path of Object.keys(probes)) t.equal((await ask(SERVER_IP, 15_020, path))[0], 200, path);
});

t.test('istioctl and hooks ask it through the name of Istio’s agent', async (t) => {
  t.match(JSON.parse(server.pod.run(`${pilotAgent} request GET server_info`)), { state: 'LIVE' });
  server.pod.run(`${pilotAgent} request --debug-port=15020 POST drain`);
  t.match(await client.pod.application.text(SERVICE_IP, ports.http, request), /^HTTP\/1\.1 200/, 'it serves on');
  t.throws(() => server.pod.run(`${pilotAgent} bug-report`), { message: /unknown argument bug-report/ });
});

t.test('a policy that is refused: a pod that runs says so when it is asked, a new one is not ready', async (t) => {
  await istiod.apply(documents(unknownPolicy));
  await server.sidecar.logged('refused resources');
  t.matchOnly(await ask(SERVER_IP, 15_021, '/healthz/ready'), [200, 'LIVE\n']);
  t.matchOnly(
    await ask(SERVER_IP, 15_021, '/healthz/ready?verbose'),
    [200, 'LIVE\n'],
    'who is not in the pod is not told',
  );
  t.match(
    server.pod.run('curl -s http://127.0.0.1:15021/healthz/ready?verbose'),
    /^LIVE\nREFUSED: listeners, whose last accepted state serves: virtualInbound: .*example\.Policy/,
  );
  const late = await startInjected('early', '10.77.0.12');
  await late.sidecar.logged('refused resources');
  const [code, said] = await wait(late.pod, 2);
  t.equal(code, 1);
  t.match(said, /answered 503/);
  await late.sidecar.logged('REFUSED: listeners were never accepted: virtualInbound');
  t.matchOnly(await ask('10.77.0.12', 15_021, '/healthz/ready'), [
    503,
    /^REFUSED: listeners were never accepted: .*example\.Policy/,
  ]);
  await istiod.remove(documents(unknownPolicy));
  t.same(await wait(late.pod, 600), [0, '']);
});

/** A filter that nobody knows, in the place where policies are enforced. */
const unknownPolicy = {
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  metadata: { name: 'policy', namespace: 'shop' },
  spec: {
    configPatches: [
      {
        applyTo: 'HTTP_FILTER',
        match: {
          context: 'SIDECAR_INBOUND',
          listener: { filterChain: { filter: { name: 'envoy.filters.network.http_connection_manager' } } },
        },
        patch: {
          operation: 'INSERT_BEFORE',
          value: {
            name: 'policy',
            typed_config: {
              '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct',
              type_url: 'type.googleapis.com/example.Policy',
            },
          },
        },
      },
    ],
  },
};
