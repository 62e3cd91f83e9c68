// One port for everything, as a sidecar's inbound listener is: plain HTTP is proxied as HTTP, TLS is passed on unopened to
// where its server name says, and what speaks no protocol that is known is passed on as it is.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { type CertificateFiles, makeRoot } from '../support/certificates.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { RawClient } from '../support/raw-client.ts';
import {
  clusterAt,
  fileAccessLog,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.listener';
const inspectors = [
  { name: 'tls', typed_config: { '@type': `${FILTERS}.tls_inspector.v3.TlsInspector` } },
  { name: 'http', typed_config: { '@type': `${FILTERS}.http_inspector.v3.HttpInspector` } },
];

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Answers with its name, the protocol agreed on, and everything it received. */
function startTlsOrigin(t: Test, name: string, files: CertificateFiles): Promise<number> {
  const identity = { cert: readFileSync(files.certificate), key: readFileSync(files.key), ALPNProtocols: ['h2'] };
  const server = createTlsServer({ ...identity, allowHalfOpen: true }, async (socket) => {
    socket.write(`${name} ${socket.alpnProtocol} `);
    socket.end(await buffer(socket));
  });
  return listening(t, server);
}

interface Mesh {
  readonly sidecar: Sidecar;
  readonly port: number;
  readonly ca: Buffer;
  readonly log: string;
}

async function startMesh(t: Test, listener: object = {}): Promise<Mesh> {
  const directory = t.testdir({});
  const files = makeRoot(directory, 'origin');
  const log = `${directory}/access.log`;
  const greeter = createTcpServer((socket) => socket.end('220 a server that speaks first\r\n'));
  const clusters = [
    clusterAt('plain', await startNamedOrigin(t, 'plain')),
    clusterAt('exact', await startTlsOrigin(t, 'exact', files)),
    clusterAt('wildcard', await startTlsOrigin(t, 'wildcard', files)),
    clusterAt('greeter', await listening(t, greeter)),
  ];
  const chains = [
    {
      filter_chain_match: { transport_protocol: 'raw_buffer', application_protocols: ['http/1.1'] },
      ...httpFilterChain('plain'),
    },
    { filter_chain_match: { server_names: ['a.example'] }, ...tcpFilterChain('exact') },
    { filter_chain_match: { server_names: ['*.example'] }, ...tcpFilterChain('wildcard') },
  ];
  const inbound = {
    name: 'in',
    address: socketAddress(0),
    listener_filters: inspectors,
    listener_filters_timeout: '0s',
    filter_chains: chains,
    default_filter_chain: tcpFilterChain('greeter'),
    access_log: [fileAccessLog(log, '%REQUESTED_SERVER_NAME%\n')],
    ...listener,
  };
  const sidecar = await startSidecar(t, {
    bootstrap: { static_resources: { listeners: [inbound], clusters } },
    flags: ['--concurrency', '1'],
  });
  return { sidecar, port: sidecar.port('in'), ca: readFileSync(files.certificate), log };
}

/** A whole conversation over TLS: sends everything, ends, and reads to the end. */
async function converse({ port, ca }: Mesh, servername: string, sent: Buffer): Promise<Buffer> {
  const socket: TLSSocket = connect({
    port,
    ca,
    servername,
    ALPNProtocols: ['http/1.1', 'h2'],
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  socket.end(sent);
  return buffer(socket);
}

t.test('TLS goes unopened to where its server name says, every byte of it', async (t) => {
  const mesh = await startMesh(t);
  const sent = randomBytes(3 * 1024 * 1024);
  for (const [servername, origin] of [
    ['a.example', 'exact'],
    ['b.example', 'wildcard'],
  ] as const) {
    const answer = await converse(mesh, servername, sent);
    const head = `${origin} h2 `;
    t.equal(answer.latin1Slice(0, head.length), head);
    t.equal(digest(answer.subarray(head.length)), digest(sent));
  }
  t.match(await mesh.sidecar.admin('/stats?filter=tls_inspector.sni_found'), /: 2\n/);
  // The log is complete when the process has ended.
  await mesh.sidecar.admin('/quitquitquit', 'POST');
  await mesh.sidecar.ended;
  t.same(readFileSync(mesh.log, 'latin1').trim().split('\n').sort(), ['a.example', 'b.example']);
});

t.test('plain HTTP on the same port is proxied, and its connection kept', async (t) => {
  const { port } = await startMesh(t);
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  for (const piece of ['GET / HT', 'TP/1.1\r\nHost: a\r\n\r\n']) await client.write(piece);
  t.match(await client.until((text) => text.endsWith('plain')), /^HTTP\/1\.1 200 /);
  client.text = '';
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await client.until((text) => text.endsWith('plain')), /^HTTP\/1\.1 200 /);
});

t.test('a server that speaks first is heard when the wait for the client is over', async (t) => {
  const { sidecar, port } = await startMesh(t, {
    listener_filters_timeout: '0.05s',
    continue_on_listener_filters_timeout: true,
  });
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  t.equal(await client.ended(), '220 a server that speaks first\r\n');
  t.match(await sidecar.admin('/stats?filter=downstream_pre_cx_timeout'), /: 1\n/);
});

t.test('or though nothing ends that wait, because the client is silent and the server is not', async (t) => {
  const { sidecar, port } = await startMesh(t);
  for (let connection = 0; connection < 2; connection++) {
    const client = await RawClient.open(port);
    t.teardown(() => client.close());
    t.equal(await client.ended(), '220 a server that speaks first\r\n');
  }
  t.match(await sidecar.admin('/stats/prometheus?filter=server_first'), /outrigger_server_first_verdicts_total\S* 2\n/);
});

t.test('or at once where the filters are disabled for its port', async (t) => {
  const filter_disabled = { not_match: { destination_port_range: { start: 1, end: 2 } } };
  const { port } = await startMesh(t, { listener_filters: inspectors.map((each) => ({ ...each, filter_disabled })) });
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  t.equal(await client.ended(), '220 a server that speaks first\r\n');
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
