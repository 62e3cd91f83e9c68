// A cluster whose endpoints are where connections were headed. Redirection itself needs rules in the kernel; here a
// header says the destination, as `use_http_header` allows, and hand-over is tested at the listener.

import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { over, startHttpsOrigin, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority } from '../support/tls-fixtures.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const cluster = {
  name: 'app',
  type: 'ORIGINAL_DST',
  lb_policy: 'CLUSTER_PROVIDED',
  connect_timeout: '5s',
  original_dst_lb_config: { use_http_header: true },
};

function start(t: Test, cluster: object): Promise<Sidecar> {
  const listener = {
    name: 'http',
    address: socketAddress(0),
    use_original_dst: true,
    filter_chains: [httpFilterChain('app')],
  };
  return startSidecar(t, {
    bootstrap: { static_resources: { listeners: [listener], clusters: [cluster] } },
    flags: ['--concurrency', '1'],
  });
}

async function ask(sidecar: Sidecar, destination?: string): Promise<string> {
  const client = await RawClient.open(sidecar.port('http'));
  const header = destination === undefined ? '' : `x-envoy-original-dst-host: ${destination}\r\n`;
  await client.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${header}\r\n`);
  const text = await client.ended();
  client.close();
  return text;
}

t.test('each request goes where its header says, and to nobody without one', async (t) => {
  const one = await startNamedOrigin(t, 'one');
  const two = await startNamedOrigin(t, 'two', '127.0.0.2');
  const six = await startNamedOrigin(t, 'six', '::1');
  const sidecar = await start(t, cluster);
  for (const [destination, name] of [
    [`127.0.0.1:${one}`, 'one'],
    [`127.0.0.2:${two}`, 'two'],
    [`[::1]:${six}`, 'six'],
    [`127.0.0.1:${one}`, 'one'],
  ] as const) {
    t.match(await ask(sidecar, destination), new RegExp(`^HTTP/1\\.1 200 [^]*${name}$`));
  }
  t.match(await ask(sidecar), /^HTTP\/1\.1 503 /);
  t.match(await ask(sidecar, 'app.test:80'), /^HTTP\/1\.1 503 /, 'a name is no destination');
  t.match(await sidecar.admin('/stats?filter=original_dst_host_invalid'), /: [1-9]/);
});

t.test('over TLS each destination is believed by the same rules, and none by where it is', async (t) => {
  const mesh = Authority.make(`${t.testdir({})}/mesh`, 'mesh');
  const others = Authority.make(`${t.testdirName}/others`, 'others');
  const serve = (authority: Authority, uri: string): Promise<number> => {
    const { certificateChain: cert, privateKey: key } = authority.issue({ subjectAltName: `URI:${uri}` });
    const options = { cert, key, ca: mesh.certificate, requestCert: true, rejectUnauthorized: false };
    return startHttpsOrigin(t, options, ({ socket }, response) => {
      const { servername, authorized } = socket as TLSSocket & { readonly servername: string };
      response.end(`asked for ${servername}, ${authorized}`);
    });
  };
  const [first, second] = [await serve(mesh, 'spiffe://mesh/app'), await serve(mesh, 'spiffe://mesh/app')];
  const [misnamed, unknown] = [await serve(mesh, 'spiffe://mesh/other'), await serve(others, 'spiffe://mesh/app')];
  const socket = upstreamTlsSocket({
    identity: mesh.issue({ subjectAltName: 'URI:spiffe://mesh/web' }),
    roots: mesh.certificate,
    uris: ['spiffe://mesh/app'],
    context: { sni: 'app.mesh' },
  });
  const sidecar = await start(t, over(socket, cluster));
  for (const port of [first, second, first]) {
    t.match(await ask(sidecar, `127.0.0.1:${port}`), /^HTTP\/1\.1 200 .*asked for app\.mesh, true$/s);
  }
  t.match(
    await ask(sidecar, `127.0.0.1:${misnamed}`),
    /^HTTP\/1\.1 503 .*TLS: the certificate is for spiffe:\/\/mesh\/other/s,
  );
  t.match(await ask(sidecar, `127.0.0.1:${unknown}`), /^HTTP\/1\.1 503 .*TLS: certificate verify failed/s);
  t.match(await sidecar.admin('/stats?filter=cluster.app.ssl.fail_verify_san'), /: [1-9]/);
  t.match(await sidecar.admin('/stats?filter=cluster.app.ssl.handshake'), /: [23]$/m);
});
