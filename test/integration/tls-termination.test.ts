// TLS from clients, through the whole process: who gets in, what requests and logs are told, and that bytes arrive whole.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { pause } from '../support/pause.ts';
import { RawClient } from '../support/raw-client.ts';
import { onEachRequest, RawOrigin } from '../support/raw-origin.ts';
import {
  clusterAt,
  fileAccessLog,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';
import { ask, dial, downstreamTlsSocket, ending, over, refusal } from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const INSPECTOR = {
  name: 'tls',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
  },
};
const WEB = 'spiffe://mesh.test/ns/a/sa/web';

interface Parts {
  readonly authority: Authority;
  readonly server: IssuedIdentity;
  /** Of a client, `WEB`. */
  readonly web: IssuedIdentity;
  /** An empty folder, and a file in it. */
  readonly folder: string;
  readonly log: string;
}

interface Scene extends Parts {
  readonly sidecar: Sidecar;
}

interface Given {
  readonly chains: (parts: Parts) => readonly object[];
  readonly port: number;
  readonly listener?: (parts: Parts) => object;
}

async function start(t: Test, { chains, port, listener = () => ({}) }: Given): Promise<Scene> {
  const folder = t.testdir({});
  const authority = Authority.make(`${folder}/ca`, 'mesh');
  const parts = {
    authority,
    server: authority.issue({ subjectAltName: 'DNS:server.test,URI:spiffe://mesh.test/ns/a/sa/server' }),
    web: authority.issue({ subjectAltName: `URI:${WEB}` }),
    folder,
    log: `${folder}/access.log`,
  };
  const listeners = [{ name: 'in', address: socketAddress(0), filter_chains: chains(parts), ...listener(parts) }];
  const bootstrap = { static_resources: { listeners, clusters: [clusterAt('app', port)] } };
  const sidecar = await startSidecar(t, {
    bootstrap,
    flags: ['--concurrency', '1', '--file-flush-interval-msec', '10'],
  });
  return { ...parts, sidecar };
}

/** Lines of a log, once there are so many. */
async function lines(path: string, count: number): Promise<readonly string[]> {
  for (;;) {
    const text = existsSync(path) ? await readFile(path, 'utf8') : '';
    const found = text.split('\n').filter((line) => line !== '');
    if (found.length >= count) return found;
    await pause();
  }
}

const echoHeaders = (t: Test): Promise<number> =>
  startHttpOrigin(t, ({ headers }, response) => response.end(JSON.stringify(headers)));

t.test('a client gets in over TLS, and the next hop and the log are told of it', async (t) => {
  const format =
    '%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_LOCAL_URI_SAN% %DOWNSTREAM_PEER_URI_SAN% ' +
    '%REQUESTED_SERVER_NAME% %REQ(:SCHEME)% %RESPONSE_CODE%\n';
  const { sidecar, authority, log } = await start(t, {
    port: await echoHeaders(t),
    chains: ({ server, log }) => [
      over(
        downstreamTlsSocket({ identity: server }),
        httpFilterChain('app', { access_log: [fileAccessLog(log, format)] }),
      ),
    ],
  });
  const options = { ca: authority.certificate, servername: 'server.test' };
  const answer = await ask(sidecar.port('in'), options);
  t.equal(answer.status, 200);
  t.equal(answer.socket.getProtocol(), 'TLSv1.3');
  t.equal(JSON.parse(answer.body)['x-forwarded-proto'], 'https');
  const older = await ask(sidecar.port('in'), {
    ...options,
    maxVersion: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  });
  t.equal(older.status, 200);
  const own = 'spiffe://mesh.test/ns/a/sa/server - server.test https 200';
  const [first, second] = await lines(log, 2);
  t.match(first, new RegExp(`^TLSv1\\.3 TLS_\\w+ ${own}$`));
  t.equal(second, `TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 ${own}`);
  const stats = await sidecar.admin('/stats?filter=ssl.handshake');
  t.match(stats, /listener\.[^ ]*\.ssl\.handshake: 2/);
  t.match(await sidecar.admin('/stats?filter=http.*ssl_total'), /^http\.[^ ]*\.downstream_cx_ssl_total: 2$/m);
});

t.test('a connection is kept over requests, and a session over connections', async (t) => {
  const { sidecar, authority } = await start(t, {
    port: await startHttpOrigin(t, (_request, response) => response.end('x')),
    chains: ({ server }) => [over(downstreamTlsSocket({ identity: server }), httpFilterChain('app'))],
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const options = { ca: authority.certificate, servername: 'server.test' };
  const ports = new Set<number | undefined>();
  for (let count = 0; count < 5; count++)
    ports.add((await ask(sidecar.port('in'), { ...options, agent })).socket.localPort);
  t.equal(ports.size, 1);
  const socket = await dial(t, sidecar.port('in'), options);
  // The ticket stands in front of the first response.
  socket.write('GET / HTTP/1.1\r\nhost: server.test\r\n\r\n');
  const [session] = (await once(socket, 'session')) as [Buffer];
  const resumed = await dial(t, sidecar.port('in'), { ...options, session });
  t.ok(resumed.isSessionReused());
});

t.test(
  'clients with a good certificate are let in, and the log knows them; others are counted by what was wrong',
  async (t) => {
    const format = '%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %RESPONSE_FLAGS%\n';
    const { sidecar, authority, web, log, folder } = await start(t, {
      port: await startHttpOrigin(t, (_request, response) => response.end('x')),
      chains: ({ server, authority, log }) => [
        over(
          downstreamTlsSocket({ identity: server, roots: authority.certificate, uris: [WEB] }),
          httpFilterChain('app', { access_log: [fileAccessLog(log, format)] }),
        ),
      ],
    });
    const base = { ca: authority.certificate, servername: 'server.test' };
    const shown = ({ certificateChain: cert, privateKey: key }: IssuedIdentity) => ({ ...base, cert, key });
    t.equal((await ask(sidecar.port('in'), shown(web))).status, 200);
    t.matchOnly(await lines(log, 1), [new RegExp(`^${WEB} CN=leaf\\d -$`)]);

    const stranger = Authority.make(`${folder}/other`, 'other').issue({ subjectAltName: `URI:${WEB}` });
    const other = authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/other' });
    const expired = authority.issue({
      subjectAltName: `URI:${WEB}`,
      notBefore: '20200101000000Z',
      notAfter: '20200102000000Z',
    });
    for (const [options, alert] of [
      [base, /ALERT_CERTIFICATE_REQUIRED$/],
      [shown(stranger), /ALERT_UNKNOWN_CA$/],
      [shown(other), /ALERT_CERTIFICATE_UNKNOWN$/],
      [shown(expired), /ALERT_CERTIFICATE_EXPIRED$/],
    ] as const)
      t.match(await ending(sidecar.port('in'), options), alert);
    const stats = await sidecar.admin('/stats?filter=ssl.fail');
    t.match(stats, /ssl\.fail_verify_no_cert: 1\n/);
    t.match(stats, /ssl\.fail_verify_error: 2\n/);
    t.match(stats, /ssl\.fail_verify_san: 1\n/);
  },
);

t.test('a handshake that fails ends in the log of the listener, and its connection is counted', async (t) => {
  const format = '%DOWNSTREAM_TRANSPORT_FAILURE_REASON% | %CONNECTION_TERMINATION_DETAILS%\n';
  const { sidecar, authority, log } = await start(t, {
    port: 1,
    chains: ({ server, authority }) => [
      {
        ...over(downstreamTlsSocket({ identity: server, roots: authority.certificate }), httpFilterChain('app')),
        // Two of three handshakes must be over before, on a busy machine too.
        transport_socket_connect_timeout: '2s',
      },
    ],
    listener: ({ log }) => ({ access_log: [fileAccessLog(log, format)], stat_prefix: 'in' }),
  });
  await refusal(sidecar.port('in'), { ca: authority.certificate, servername: 'server.test' });
  const plain = await RawClient.open(sidecar.port('in'));
  await plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await plain.ended();
  const silent = await RawClient.open(sidecar.port('in'));
  await silent.ended();
  const found = await lines(log, 3);
  t.match(found[0], /^TLS:_\S*certificate\S* \| TLS: .*certificate/);
  t.match(found[1], /^TLS:_\S+ \| TLS: /);
  t.equal(found[2], 'transport_socket_timeout_was_reached | transport socket timeout was reached');
  const stats = await sidecar.admin('/stats?filter=^listener.in');
  t.match(stats, /downstream_cx_active: 0\n/);
  t.match(stats, /downstream_cx_total: 3\n/);
  t.match(stats, /downstream_cx_transport_socket_connect_timeout: 1\n/);
});

t.test('one port for clients with certificates and for plain ones, and another for certificates only', async (t) => {
  const { sidecar, authority, web } = await start(t, {
    port: await startHttpOrigin(t, ({ headers }, response) => response.end(headers['x-forwarded-proto'])),
    chains: ({ server, authority }) => [
      {
        ...over(downstreamTlsSocket({ identity: server, roots: authority.certificate }), httpFilterChain('app')),
        filter_chain_match: { transport_protocol: 'tls' },
      },
      { ...httpFilterChain('app'), filter_chain_match: { transport_protocol: 'raw_buffer' } },
    ],
    listener: () => ({ listener_filters: [INSPECTOR] }),
  });
  const { certificateChain: cert, privateKey: key } = web;
  const base = { ca: authority.certificate, servername: 'server.test' };
  t.equal((await ask(sidecar.port('in'), { ...base, cert, key })).body, 'https');
  const plain = await RawClient.open(sidecar.port('in'));
  t.teardown(() => plain.close());
  await plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await plain.until((text) => text.endsWith('http')), / 200 /);
  t.match(await ending(sidecar.port('in'), base), /ALERT_CERTIFICATE_REQUIRED$/);
});

t.test('bodies pass both ways byte by byte, however large', async (t) => {
  const { sidecar, authority } = await start(t, {
    port: await startHttpOrigin(t, (request, response) => void request.pipe(response)),
    chains: ({ server }) => [over(downstreamTlsSocket({ identity: server }), httpFilterChain('app'))],
  });
  const body = randomBytes(24 * 1024 * 1024);
  const options = { ca: authority.certificate, servername: 'server.test', method: 'POST' };
  const answer = await ask(sidecar.port('in'), { ...options, headers: { 'content-length': body.length }, body });
  t.equal(digest(Buffer.from(answer.body, 'latin1')), digest(body));
});

t.test('a tunnel after an upgrade passes bytes both ways', async (t) => {
  const origin = await RawOrigin.start(t, (connection) =>
    onEachRequest(connection, () => {
      connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      connection.onText = (added) => connection.write(added.toUpperCase());
    }),
  );
  const { sidecar, authority } = await start(t, {
    port: origin.port,
    chains: ({ server }) => [
      over(
        downstreamTlsSocket({ identity: server }),
        httpFilterChain('app', { upgrade_configs: [{ upgrade_type: 'websocket' }] }),
      ),
    ],
  });
  const socket = await dial(t, sidecar.port('in'), { ca: authority.certificate, servername: 'server.test' });
  socket.write('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [head] = (await once(socket, 'data')) as [Buffer];
  t.match(head.toString(), /^HTTP\/1\.1 101 /);
  socket.write('hello');
  const [echoed] = (await once(socket, 'data')) as [Buffer];
  t.equal(echoed.toString(), 'HELLO');
  socket.end();
  await buffer(socket);
});

t.test('tcp_proxy passes half closes on', async (t) => {
  const origin = await RawOrigin.start(t, () => undefined);
  const { sidecar, authority } = await start(t, {
    port: origin.port,
    chains: ({ server }) => [over(downstreamTlsSocket({ identity: server }), tcpFilterChain('app'))],
  });
  const socket = await dial(t, sidecar.port('in'), { ca: authority.certificate, servername: 'server.test' });
  socket.end('last words');
  await origin.until(({ connections }) => connections[0]?.outcome !== undefined);
  t.equal(origin.text, 'last words');
  t.equal((await buffer(socket)).toString(), '');
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
