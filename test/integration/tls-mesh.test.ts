// Two proxies that speak mutual TLS with each other, as sidecars of two applications do, while certificates rotate and
// listeners change beneath them.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import {
  clusterAt,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';
import {
  certificateOf,
  downstreamTlsSocket,
  over,
  refusal,
  upstreamTlsSocket,
  validationOf,
} from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

// Each test starts two processes, which takes seconds on a busy machine.
t.setTimeout(900_000);

const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const NAMES = { web: 'spiffe://mesh.test/ns/a/sa/web', app: 'spiffe://mesh.test/ns/a/sa/app' };
type Name = keyof typeof NAMES;

/** Certificates of the two, in files that are replaced as a control plane or an agent would. */
class Identities {
  readonly authority: Authority;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.authority = Authority.make(`${folder}/ca`, 'mesh');
  }

  issue(name: Name): IssuedIdentity {
    return this.authority.issue({ subjectAltName: `URI:${NAMES[name]},DNS:${name}.test` });
  }

  rotate(name: Name): void {
    const resource = { '@type': SECRET, name: 'own', tls_certificate: certificateOf(this.issue(name)) };
    writeFileSync(this.#path(`${name}.next`), JSON.stringify({ version_info: name, resources: [resource] }));
    renameSync(this.#path(`${name}.next`), this.#path(name));
  }

  /** What both sides of the mesh say of themselves, and of the other one. */
  context(name: Name, peer: Name): object {
    const source = { path_config_source: { path: this.#path(name) }, resource_api_version: 'V3' };
    return {
      tls_certificate_sds_secret_configs: [{ name: 'own', sds_config: source }],
      validation_context: validationOf(this.authority.certificate, [NAMES[peer]]),
    };
  }

  #path(name: string): string {
    return `${this.#folder}/${name}.json`;
  }
}

/** Connections are made anew for each fifth request. */
const shortLived = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      common_http_protocol_options: { max_requests_per_connection: 5 },
      explicit_http_config: { http_protocol_options: {} },
    },
  },
};

interface Mesh {
  readonly identities: Identities;
  readonly web: Sidecar;
  readonly app: Sidecar;
}

/** `web` calls `app` over mutual TLS; each has a listener `http` or `tcp`. */
async function startMesh(t: Test, kind: 'http' | 'tcp', port: number): Promise<Mesh> {
  const identities = new Identities(t.testdir({}));
  for (const name of ['web', 'app'] as const) identities.rotate(name);
  const chain = kind === 'http' ? httpFilterChain : tcpFilterChain;
  const start = (chain: object, cluster: object) => {
    const listeners = [{ name: kind, address: socketAddress(0), filter_chains: [chain] }];
    const node = { id: 'mesh', cluster: 'mesh' };
    const bootstrap = { node, static_resources: { listeners, clusters: [cluster] } };
    return startSidecar(t, { bootstrap, flags: ['--concurrency', '1'] });
  };
  const inbound = downstreamTlsSocket({
    common: identities.context('app', 'web'),
    context: { require_client_certificate: true },
  });
  const outbound = upstreamTlsSocket({ common: identities.context('web', 'app'), context: { sni: 'app.test' } });
  const app = await start(over(inbound, chain('local')), clusterAt('local', port));
  const web = await start(chain('app'), over(outbound, clusterAt('app', app.port(kind), shortLived)));
  return { identities, web, app };
}

t.test('a request goes through both, and who is in between sees nothing of it', async (t) => {
  const { web, app, identities } = await startMesh(
    t,
    'http',
    await startHttpOrigin(t, (request, response) => void request.pipe(response)),
  );
  const body = randomBytes(8 * 1024 * 1024);
  const response = await fetch(`http://127.0.0.1:${web.port('http')}/`, { method: 'POST', body });
  t.equal(digest(Buffer.from(await response.arrayBuffer())), digest(body));
  t.notMatch(await refusal(app.port('http'), { ca: identities.authority.certificate }), /served/);
  t.match(await web.admin('/stats?filter=cluster.app.ssl.handshake'), /: 1\n/);
});

t.test('half closes pass through both, in either order, and bulk both ways at once', async (t) => {
  const size = 8 * 1024 * 1024;
  const [up, down] = [randomBytes(size), randomBytes(size)];
  const received: Promise<string>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    received.push(buffer(socket).then(digest));
    // The first ends before its client does, the second behind it.
    if (received.length === 1) socket.end(down);
    else socket.on('end', () => socket.end('late'));
  });
  const { web } = await startMesh(t, 'tcp', await listening(t, server));
  const first = await dialPlain(t, web.port('tcp'));
  const arrived = buffer(first);
  first.write(up);
  t.equal(digest(await arrived), digest(down), 'the endpoint has ended');
  first.end('and more');
  t.equal(await received[0], digest(Buffer.concat([up, Buffer.from('and more')])));
  const second = await dialPlain(t, web.port('tcp'));
  second.end('early');
  t.equal((await buffer(second)).toString(), 'late');
  t.equal(await received[1], digest(Buffer.from('early')));
});

t.test('certificates of both rotate ten times while requests flow, and none of them fails', async (t) => {
  const { web, app, identities } = await startMesh(
    t,
    'http',
    await startHttpOrigin(t, (_request, response) => response.end('ok')),
  );
  const ca = identities.authority.certificate;
  const traffic = new Traffic(web.port('http'));
  const serials = new Set<string>();
  for (let rotation = 0; rotation < 10; rotation++) {
    const before = await serialOf(app.port('http'), ca);
    serials.add(before);
    for (const name of ['web', 'app'] as const) identities.rotate(name);
    while ((await serialOf(app.port('http'), ca)) === before) t.comment('not yet');
  }
  const { answered, failures } = await traffic.stop();
  t.same(failures, []);
  t.equal(serials.size, 10);
  t.ok(answered > 10, `${answered} requests`);
  // The first one counts unless it was there before the listener.
  t.match(await app.admin('/stats?filter=ssl_context_update_by_sds'), /: 1[01]\n/);
  t.match(await web.admin('/stats?filter=ssl_context_update_by_sds'), /: [1-9]/);
});

/** Requests one after the other over kept connections, and over new ones. */
class Traffic {
  readonly failures: string[] = [];
  answered = 0;
  #isOver = false;
  readonly #done: Promise<unknown>;

  constructor(port: number) {
    this.#done = Promise.all(['keep-alive', 'close'].map((connection) => this.#run(port, connection)));
  }

  async #run(port: number, connection: string): Promise<void> {
    while (!this.#isOver) {
      const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection } });
      const text = await response.text();
      if (response.status === 200 && text === 'ok') this.answered++;
      else this.failures.push(`${response.status} ${text}`);
    }
  }

  async stop(): Promise<this> {
    this.#isOver = true;
    await this.#done;
    return this;
  }
}

/** Of the certificate that a new connection is shown. The proxy then refuses us: we have none. */
async function serialOf(port: number, ca: string): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca, servername: 'app.test' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

async function listening(t: Test, server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function dialPlain(t: Test, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
