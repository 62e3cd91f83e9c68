// A sidecar without Istio's agent: configured by the environment of its container alone, known to a real istiod by its
// token, certified by its CA.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { programFile } from '../support/program-file.ts';
import { startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import { loopbackMeshConfig } from './loopback-mesh.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const program = await findIstiod();
const MAIN = programFile('proxy/main.ts');

interface LogLine {
  readonly msg: string;
  readonly [fact: string]: unknown;
}

/** Resolves with the first line of each text; rejects with the whole log when the process ends before. */
async function startSidecar(t: Test, variables: Record<string, string>, ...texts: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'proxy', 'sidecar', '--proxyLogLevel=info', '--no-config-cache'], {
    env: { PATH: process.env['PATH'], ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
  });
  const lines: LogLine[] = [];
  const all: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<readonly LogLine[]>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      all.push(line);
      if (line.startsWith('{')) lines.push(JSON.parse(line));
      const found = texts.map((text) => lines.find(({ msg }) => msg.startsWith(text)));
      if (found.every((each) => each !== undefined)) resolve(found);
    });
  }
  child.once('close', () => reject(new Error(all.join('\n'))));
  return promise;
}

const pod = { POD_NAME: 'cart-1', POD_NAMESPACE: 'shop', INSTANCE_IP: '127.0.0.1', SERVICE_ACCOUNT: 'cart' };
const anyPorts = { ENVOY_STATUS_PORT: '0', ENVOY_PROMETHEUS_PORT: '0' };

t.test('it is certified, configured, and says that it is ready', skipOr(program), async (t) => {
  const istiod = await startIstiod(t, { program: 'path' in program ? program.path : '', mesh: loopbackMeshConfig });
  const folder = t.testdir({ token: 'lab:shop:cart' });
  const adminPort = (await freePorts(1))[0]!;
  // Its certificate is for no address.
  const discoveryAddress = `127.0.0.1:${istiod.tlsPort}`;
  const [issued, , answered] = await startSidecar(
    t,
    {
      ...pod,
      ...anyPorts,
      ISTIO_META_INTERCEPTION_MODE: 'NONE',
      ISTIOD_SAN: 'istiod.istio-system.svc',
      CA_ROOT_CA: istiod.rootCertificate,
      JWT_TOKEN_PATH: join(folder, 'token'),
      ECC_SIGNATURE_ALGORITHM: 'ECDSA',
      PROXY_CONFIG: JSON.stringify({ discoveryAddress, concurrency: 1, proxyAdminPort: adminPort, statusPort: 0 }),
    },
    'a certificate came from the CA',
    'configuration is served',
    'the kubelet is answered',
    'admin interface is listening',
  );
  t.match(issued, { msg: `a certificate came from the CA at ${discoveryAddress}` });
  const ask = async (port: unknown, path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  t.equal((await ask(answered!['health'], '/healthz/ready')).status, 200);
  t.match(await (await ask(answered!['status'], '/stats/prometheus')).text(), /envoy_server_live\{\} 1/);
  const dump = await (await ask(adminPort, '/config_dump')).text();
  t.match(dump, /sidecar~127\.0\.0\.1~cart-1\.shop~shop\.svc\.cluster\.local/);
  t.notMatch(dump, /lab:shop:cart/, 'the token is in no dump');
});

t.test('an environment that is not right ends it, with every problem', async (t) => {
  const ended = await startSidecar(t, { ...pod, POD_NAME: '', PROXY_CONFIG: '[' }, 'never').catch(
    (error: Error) => error,
  );
  t.match(ended, { message: /POD_NAME: the name of the pod is required/ });
  t.match(ended, { message: /PROXY_CONFIG: must be an object in JSON/ });
});

function skipOr(found: typeof program): { readonly skip?: string } {
  return 'missing' in found ? { skip: found.missing } : {};
}
