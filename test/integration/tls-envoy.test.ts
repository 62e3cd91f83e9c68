// Mutual TLS with a stock Envoy, in both directions, with static configuration.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { pause } from '../support/pause.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';
import { downstreamTlsSocket, over, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

t.setTimeout(900_000);

const NAMES = { ours: 'spiffe://mesh.test/ns/a/sa/ours', envoys: 'spiffe://mesh.test/ns/a/sa/envoys' };
type Name = keyof typeof NAMES;

interface Mesh {
  readonly folder: string;
  readonly roots: string;
  readonly identities: { readonly [name in Name]: IssuedIdentity };
}

function makeMesh(t: Test): Mesh {
  const folder = t.testdir({});
  const authority = Authority.make(`${folder}/ca`, 'mesh');
  const issue = (name: Name) => authority.issue({ subjectAltName: `URI:${NAMES[name]}` });
  return { folder, roots: authority.certificate, identities: { ours: issue('ours'), envoys: issue('envoys') } };
}

/** Takes mutual TLS of `peer` and passes it on in the clear, and tells the origin whose certificate it saw. */
function inbound({ roots, identities }: Mesh, name: Name, peer: Name): object {
  const socket = downstreamTlsSocket({ identity: identities[name], roots, uris: [NAMES[peer]] });
  const manager = {
    forward_client_cert_details: 'SANITIZE_SET',
    set_current_client_cert_details: { uri: true },
  };
  return over(socket, httpFilterChain('next', manager));
}

/** To `peer`, over mutual TLS. */
function outbound({ roots, identities }: Mesh, name: Name, { peer, port }: { peer: Name; port: number }): object {
  const terms = { identity: identities[name], roots, uris: [NAMES[peer]], context: { sni: 'app.test' } };
  return over(upstreamTlsSocket(terms), clusterAt('next', port));
}

function bootstrapOf(chain: object, cluster: object): object {
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [chain] }];
  return { static_resources: { listeners, clusters: [cluster] } };
}

const flags = ['--concurrency', '1'];

async function startOurs(t: Test, bootstrap: object): Promise<number> {
  return (await startSidecar(t, { bootstrap, flags })).port('http');
}

/** Returns the port of its listener. */
async function startEnvoy(t: Test, { path, bootstrap, folder }: { path: string; bootstrap: object; folder: string }) {
  const addresses = `${folder}/admin`;
  const config = JSON.stringify({ admin: { address: socketAddress(0) }, ...bootstrap });
  const options = ['--config-yaml', config, '--admin-address-path', addresses, '--use-dynamic-base-id'];
  const child = spawn(path, [...options, ...flags], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const early = ended.then(([code]) => {
    throw new Error(`envoy ended with ${code}`);
  });
  const started = (async () => {
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) return early;
      const admin = existsSync(addresses) ? readFileSync(addresses, 'utf8').trim() : '';
      const listeners = admin === '' ? '' : await textOf(`http://${admin}/listeners?format=text`).catch(() => '');
      const port = /http::127\.0\.0\.1:(\d+)/.exec(listeners)?.[1];
      if (port !== undefined && (await textOf(`http://${admin}/ready`)) === 'LIVE\n') return Number(port);
      await pause();
    }
  })();
  early.catch(() => undefined);
  return Promise.race([started, early]);
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

const envoy = findEnvoy();
const skip = 'missing' in envoy ? envoy.missing : false;
const path = 'path' in envoy ? envoy.path : '';

t.test('Envoy calls us over mutual TLS', { skip }, async (t) => {
  const mesh = makeMesh(t);
  const origin = await startClientTeller(t);
  const ours = await startOurs(t, bootstrapOf(inbound(mesh, 'ours', 'envoys'), clusterAt('next', origin)));
  const bootstrap = bootstrapOf(httpFilterChain('next'), outbound(mesh, 'envoys', { peer: 'ours', port: ours }));
  const port = await startEnvoy(t, { path, bootstrap, folder: mesh.folder });
  t.match(
    await textOf(`http://127.0.0.1:${port}/`),
    new RegExp(`^By=${NAMES.ours};Hash=[0-9a-f]{64};URI=${NAMES.envoys}$`),
  );
});

t.test('we call Envoy over mutual TLS', { skip }, async (t) => {
  const mesh = makeMesh(t);
  const origin = await startClientTeller(t);
  const bootstrap = bootstrapOf(inbound(mesh, 'envoys', 'ours'), clusterAt('next', origin));
  const envoys = await startEnvoy(t, { path, bootstrap, folder: mesh.folder });
  const port = await startOurs(
    t,
    bootstrapOf(httpFilterChain('next'), outbound(mesh, 'ours', { peer: 'envoys', port: envoys })),
  );
  t.match(
    await textOf(`http://127.0.0.1:${port}/`),
    new RegExp(`^By=${NAMES.envoys};Hash=[0-9a-f]{64};URI=${NAMES.ours}$`),
  );
});

function startClientTeller(t: Test): Promise<number> {
  return startHttpOrigin(t, ({ headers }, response) => response.end(headers['x-forwarded-client-cert']));
}
