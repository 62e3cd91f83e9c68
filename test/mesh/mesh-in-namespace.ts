// Run by mesh.test.ts in network and mount namespaces of its own: a real istiod, a server with a sidecar, a client with one
// and one without. Who gets through, over what, and who the server is told it is.

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { type Istiod, startIstiod } from '../istio/istiod.ts';
import { pause } from '../support/pause.ts';
import { Authority } from '../support/tls-fixtures.ts';
import { type MeshSidecar, NODE_IP, type Pod, startMeshSidecar, startNode, startPod } from './mesh-node.ts';
import {
  CLIENT_IP,
  documents,
  EARLY_IP,
  type MutualTls,
  meshObjects,
  mutualTls,
  ports,
  registryOnly,
  SERVER_IP,
  SERVICE_IP,
  STRANGER_IP,
} from './mesh-objects.ts';
import { isTlsOnly, WireCapture } from './wire-capture.ts';

t.setTimeout(900_000);

const program = process.argv[2]!;
const host = 'server.shop.svc.cluster.local';
const request = `GET /hello HTTP/1.1\r\nHost: ${host}:8080\r\nConnection: close\r\n\r\n`;
/** `x-forwarded-client-cert` of the client's sidecar, as the server's writes it. */
const CLIENT =
  /By=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/server;.*URI=spiffe:\/\/cluster\.local\/ns\/shop\/sa\/client$/;

/** What a sidecar connects from (`upstream_bind_config`), so that its own rules leave it alone. */
const PROXY_PEER = '127.0.0.6';

startNode();
const istiod = await startIstiod(t, {
  program,
  mesh: { defaultProviders: { metrics: ['prometheus'] } },
  address: `${NODE_IP}:0`,
});
await istiod.apply(documents(...meshObjects(), mutualTls('PERMISSIVE')));
const server = await startPod(t, { name: 'server', ip: SERVER_IP });
const client = await startPod(t, { name: 'client', ip: CLIENT_IP });
const stranger = await startPod(t, { name: 'stranger', ip: STRANGER_IP });
const applicationRoot = Authority.make(t.testdir({}), 'application');
await Promise.all([
  ...[ports.http, ports.auto].map((port) => server.serveHttp(port)),
  server.serveHttp(ports.tls, applicationRoot.issue({ subjectAltName: `DNS:${host}` })),
]);
await server.application.listen({ ip: SERVER_IP, port: ports.tcp, name: 'echo' });
await server.application.listen({ ip: SERVER_IP, port: ports.greeting, name: 'greeting', speaksFirst: true });
const sidecarOf = (pod: Pod, controlPlane: Istiod = istiod) =>
  startMeshSidecar(t, pod, {
    istiod: controlPlane,
    serviceAccount: pod.name,
    labels: { app: pod.name },
    // Another certificate every four seconds: no test here may notice.
    variables: { SECRET_TTL: '8s' },
  });
const [serverSidecar, clientSidecar] = [sidecarOf(server), sidecarOf(client)];
await Promise.all([serverSidecar.ready(), clientSidecar.ready()]);

interface Answer {
  /** 200, or another response, or the error; nothing for a connection that was closed. */
  readonly outcome: string;
  /** `x-forwarded-client-cert` that the application has seen. */
  readonly identity: string | undefined;
  /** Whom the application has the connection from. */
  readonly peer?: string;
}

async function ask(from: Pod, ip: string, port: number): Promise<Answer> {
  const text = await from.application.text(ip, port, request);
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
  if (status !== '200') return { outcome: text, identity: undefined };
  const { headers, peer } = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  return { outcome: status, identity: headers['x-forwarded-client-cert'], peer };
}

/** Over TLS of the application's own: 200 when it was the application that showed its certificate, or why not. */
function askTls(from: Pod, ip: string): string {
  const roots = `${t.testdirName}/roots.pem`;
  writeFileSync(roots, applicationRoot.certificate);
  const request = `curl -s --max-time 10 --cacert ${roots} --resolve ${host}:${ports.tls}:${ip} https://${host}:${ports.tls}/`;
  return from.run(`sh -c '${request} -o /dev/null -w "%{http_code} %{exitcode}" || true'`);
}

/** The series of TCP connections over mutual TLS. */
function tcpSeries(sidecar: MeshSidecar): string {
  const lines = sidecar.admin('/stats/prometheus').split('\n');
  const isMutual = (line: string) => /_principal="spiffe.*_principal="spiffe/.test(line);
  return lines.filter((line) => line.startsWith('istio_tcp_connections_opened_total') && isMutual(line)).join('\n');
}

/** What is on the wire while pods ask for a word, and are answered with it. Nobody else says that word. */
async function wireOf(t: Test, ask: (word: string) => Promise<unknown>) {
  const capture = WireCapture.open(t);
  const word = `word-${randomUUID()}`;
  await ask(word);
  const streams = capture.take().filter(({ from, to }) => from.startsWith(SERVER_IP) || to.startsWith(SERVER_IP));
  return { word, streams, telling: streams.filter(({ bytes }) => bytes.includes(word)) };
}

/** Applies it, and waits until it is in force on both sides. */
async function enforce(mode: MutualTls, isInForce: () => Promise<boolean>): Promise<void> {
  await istiod.apply(documents(mutualTls(mode)));
  while (!(await isInForce())) await pause();
}

/** Of the node, in a namespace that is the test's own. */
const RELAY_PORT = 20_000;

/** Of no service. */
const OUTSIDE_PORT = 7000;

const refused = /^(ECONNRESET|EPIPE)?$/;

t.test('PERMISSIVE: pods of the mesh over mutual TLS, others in clear text', async (t) => {
  for (const port of [ports.http, ports.auto]) {
    t.match(
      await ask(client, SERVICE_IP, port),
      { outcome: '200', identity: CLIENT, peer: PROXY_PEER },
      `${port}: the mesh`,
    );
    t.match(
      await ask(stranger, SERVER_IP, port),
      { outcome: '200', identity: undefined, peer: PROXY_PEER },
      `${port}: a stranger`,
    );
  }
  t.equal(await client.application.text(SERVICE_IP, ports.tcp, 'hi'), 'echo hi');
  t.equal(await stranger.application.text(SERVER_IP, ports.tcp, 'hi'), 'echo hi');
  t.equal(await client.application.text(SERVICE_IP, ports.greeting), 'greeting', 'a server that speaks first');
  t.equal(await stranger.application.text(SERVER_IP, ports.greeting), 'greeting', '… to a stranger');
  t.equal(await ask(client, SERVER_IP, ports.http).then(({ outcome }) => outcome), '200', 'the pod’s own address');
  t.equal(askTls(client, SERVICE_IP), '200 0', 'TLS of the application, in that of the mesh');
  t.equal(askTls(stranger, SERVER_IP), '200 0', '… as it is');
});

t.test('on the wire the mesh is TLS from the first byte to the last, and others are in clear text', async (t) => {
  const said = (pod: Pod, ip: string) => async (word: string) => {
    t.equal(await pod.application.text(ip, ports.tcp, word), `echo ${word}`);
    t.match(await pod.application.text(ip, ports.http, request.replace('/hello', `/${word}`)), word);
  };
  const plain = await wireOf(t, said(stranger, SERVER_IP));
  t.same(plain.telling.length, 4, 'both connections, both directions');
  // A connection that sidecars keep may say its last meanwhile.
  const ofStranger = plain.streams.filter(({ from, to }) => from.startsWith(STRANGER_IP) || to.startsWith(STRANGER_IP));
  t.equal(ofStranger.length, 4);
  t.notOk(ofStranger.some(({ bytes }) => isTlsOnly(bytes)));
  const mesh = await wireOf(t, said(client, SERVICE_IP));
  t.same(mesh.telling, []);
  t.ok(mesh.streams.length >= 4, `${mesh.streams.length}`);
  for (const { from, to, bytes } of mesh.streams) t.ok(isTlsOnly(bytes), `${from} ${to}: ${bytes.length} bytes`);
});

t.test('STRICT: others are refused, whatever they speak', async (t) => {
  await enforce('STRICT', async () => (await ask(stranger, SERVER_IP, ports.http)).outcome !== '200');
  for (const port of [ports.http, ports.auto]) {
    t.match(await ask(client, SERVICE_IP, port), { outcome: '200', identity: CLIENT });
    t.match(await ask(stranger, SERVER_IP, port), { outcome: refused });
  }
  t.equal(await client.application.text(SERVICE_IP, ports.tcp, 'hi'), 'echo hi');
  t.match(await stranger.application.text(SERVER_IP, ports.tcp, 'hi'), refused);
  t.match(
    tcpSeries(serverSidecar),
    /(?=.*source_app="client")(?=.*source_principal="[^"]*sa\/client").*destination_app="server"/,
    'the server’s sidecar is told by the client’s who it is, in front of the bytes',
  );
  t.match(tcpSeries(clientSidecar), /(?=.*destination_app="server").*source_app="client"/, '… and the other way round');
  t.equal(await client.application.text(SERVICE_IP, ports.greeting), 'greeting');
  // One that stays silent is waited for: it is not told by a greeting that it has come to the right place.
  t.match(await stranger.application.text(SERVER_IP, ports.greeting, 'hi'), refused);
  t.equal(askTls(client, SERVICE_IP), '200 0');
  t.match(askTls(stranger, SERVER_IP), /^000 (35|60)$/, 'the sidecar is who answers, and is not known to a stranger');
});

t.test('DISABLE: everybody in clear text, and nobody is told to be anybody', async (t) => {
  // The server's sidecar and the client's hear of it one after the other: between the two they do not understand each other.
  await enforce('DISABLE', async () => {
    const answers = [await ask(client, SERVICE_IP, ports.http), await ask(client, SERVICE_IP, ports.auto)];
    return answers.every(({ outcome, identity }) => outcome === '200' && identity === undefined);
  });
  for (const port of [ports.http, ports.auto]) {
    t.match(await ask(client, SERVICE_IP, port), { outcome: '200', identity: undefined });
    t.match(await ask(stranger, SERVER_IP, port), { outcome: '200', identity: undefined, peer: PROXY_PEER });
  }
  t.equal(await client.application.text(SERVICE_IP, ports.tcp, 'hi'), 'echo hi');
  t.equal(await stranger.application.text(SERVER_IP, ports.tcp, 'hi'), 'echo hi');
  for (const [pod, ip] of [
    [client, SERVICE_IP],
    [stranger, SERVER_IP],
  ] as const) {
    t.equal(await pod.application.text(ip, ports.greeting), 'greeting', pod.name);
    t.equal(askTls(pod, ip), '200 0', pod.name);
  }
  const { telling } = await wireOf(t, (word) => client.application.text(SERVICE_IP, ports.tcp, word));
  t.equal(telling.length, 2, 'the mesh, too, is in clear text');
  await enforce('STRICT', async () => (await ask(client, SERVICE_IP, ports.http)).identity !== undefined);
});

t.test('direct calls of 15001 and 15006, from inside and outside, are no loops', async (t) => {
  for (const pod of [server, client, stranger]) {
    for (const port of [15_001, 15_006]) {
      t.match(
        await pod.application.text(SERVER_IP, port, request),
        /^(ECONN(RESET|REFUSED)|EPIPE)?$/,
        `${pod.name} ${port}`,
      );
    }
  }
  t.match(await ask(client, SERVICE_IP, ports.http), { outcome: '200', identity: CLIENT });
});

t.test(
  'what the mesh does not know is passed through, or goes nowhere when only what it knows is allowed',
  async (t) => {
    const outside = { ip: STRANGER_IP, port: OUTSIDE_PORT };
    await stranger.application.listen({ ...outside, name: 'outside' });
    const text = () => client.application.text(outside.ip, outside.port, 'hi');
    const counted = () =>
      clientSidecar
        .admin('/stats/prometheus')
        .split('\n')
        .filter((line) => line.startsWith('istio_tcp_connections_closed_total'))
        .map((line) => /destination_service_name="(\w+)"/.exec(line)?.[1]);
    t.equal(await text(), 'outside hi');
    t.ok(counted().includes('PassthroughCluster'));
    await istiod.apply(documents(registryOnly()));
    while ((await text()) === 'outside hi') await pause();
    t.match(await text(), refused);
    t.ok(counted().includes('BlackHoleCluster'));
    t.match(await ask(client, SERVICE_IP, ports.http), { outcome: '200' }, 'what it knows goes on');
    await istiod.remove(documents(registryOnly()));
    while ((await text()) !== 'outside hi') await pause();
  },
);

t.test('rotations of both certificates are not noticed, five of each', async (t) => {
  const rotations = (log: readonly string[]) => log.filter((line) => line.includes('a certificate came from')).length;
  const [first, second] = [rotations(serverSidecar.log), rotations(clientSidecar.log)];
  const noticed: Answer[] = [];
  let count = 0;
  while (rotations(serverSidecar.log) < first + 5 || rotations(clientSidecar.log) < second + 5 || count < 100) {
    const answer = await ask(client, SERVICE_IP, ports.http);
    if (answer.outcome !== '200' || !CLIENT.test(answer.identity ?? '')) noticed.push(answer);
    count++;
  }
  t.same(noticed, [], `of ${count} requests`);
});

t.test('a connection that is opened before there is a configuration waits for it', async (t) => {
  const early = await startPod(t, { name: 'early', ip: EARLY_IP });
  // Nothing listens there yet: to the sidecar, istiod is down.
  const relay = createServer((from) => {
    const to = connect(istiod.tlsPort, NODE_IP);
    from.on('error', () => to.destroy()).pipe(to);
    to.on('error', () => from.destroy()).pipe(from);
  });
  t.teardown(() => relay.close());
  const sidecar = sidecarOf(early, { ...istiod, tlsPort: RELAY_PORT });
  await sidecar.logged('connections are captured by iptables');
  const answer = ask(early, SERVICE_IP, ports.http);
  // In turns: orders to programs and what istiod logs go through this process.
  while (!early.run('ss --tcp --numeric --no-header').includes(`${SERVICE_IP}:${ports.http}`)) await pause();
  t.notOk(sidecar.log.some((line) => line.includes('"configuration is served"')));
  relay.listen(RELAY_PORT, NODE_IP);
  t.match(await answer, { outcome: '200', identity: /sa\/early$/ });
});

t.test('without istiod traffic flows on', async (t) => {
  await istiod.stop();
  for (let index = 0; index < 20; index++) {
    t.match(await ask(client, SERVICE_IP, ports.http), { outcome: '200', identity: CLIENT });
  }
});
