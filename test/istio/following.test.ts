// Does the whole proxy follow a real Istio control plane: listeners, routes, endpoints, and its absence?

import { once } from 'node:events';
import { type RequestListener, request } from 'node:http';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { pause } from '../support/pause.ts';
import { startSidecar } from '../support/sidecar.ts';
import { type Istiod, startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import {
  documents,
  loopbackMeshConfig,
  loopbackSidecar,
  meshObjects,
  toVersion,
  type WebVersion,
  webRoutes,
  webService,
  webSubsets,
  webVersion,
} from './loopback-mesh.ts';
import { istioBootstrap } from './sidecar-identity.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);
// Each has a control plane of its own, which waits for whether more is applied: they wait side by side.
t.jobs = 4;

const program = await findIstiod();
const options = 'missing' in program ? { skip: program.missing } : {};
const path = 'path' in program ? program.path : '';

interface Answer {
  /** 0 when nobody listens. */
  readonly status: number;
  /** What the endpoint says: its version and the path that it saw. */
  readonly body: string;
}

type Fields = { readonly [name: string]: string };

class Mesh {
  readonly istiod: Istiod;
  readonly port: number;
  #applied = 0;

  constructor(istiod: Istiod, port: number) {
    this.istiod = istiod;
    this.port = port;
  }

  /** A request to `web` through the sidecar's outbound listener, on a connection of its own. */
  async ask(path: string, fields: Fields = {}): Promise<Answer> {
    const host = `web.shop.svc.cluster.local:${this.port}`;
    const asked = request({ port: this.port, path, headers: { host, ...fields }, agent: false });
    asked.end();
    try {
      const [response] = await once(asked, 'response');
      return { status: response.statusCode, body: await text(response) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A connection that is not accepted yet when its listener closes is reset by the kernel.
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return nobody;
      throw error;
    }
  }

  /** Asks until the answer begins like this: what is applied takes a moment to arrive. */
  async until({ status, body }: Answer, path: string): Promise<void> {
    for (;;) {
      const answer = await this.ask(path);
      if (answer.status === status && answer.body.startsWith(body)) return;
      await pause();
    }
  }

  /** Applies routes and waits until they are in force. */
  async route(...http: readonly object[]): Promise<void> {
    const path = `/is-followed/${++this.#applied}`;
    const mark = { match: [{ uri: { exact: path } }], directResponse: { status: 299 } };
    await this.istiod.apply(documents(webRoutes(mark, ...http)));
    await this.until({ status: 299, body: '' }, path);
  }
}

const nobody: Answer = { status: 0, body: '' };
const ok = (body: string): Answer => ({ status: 200, body });

/** An endpoint of `web`: says its version and the path, never answers `/slow`, and fails every other time at `/flaky`. */
async function startVersion(t: Test, version: string, ip: string): Promise<WebVersion> {
  let flaky = 0;
  const answer: RequestListener = ({ url }, response) => {
    if (url === '/slow') return;
    if (url === '/flaky' && flaky++ % 2 === 0) response.statusCode = 503;
    response.end(`${version} ${url}`);
  };
  return { version, ip, port: await startHttpOrigin(t, answer, { ip }) };
}

interface StartedMesh {
  readonly mesh: Mesh;
  readonly v1: WebVersion;
  readonly v2: WebVersion;
  /** All there is in the mesh, with every request going to v1. */
  readonly objects: readonly object[];
}

async function startMesh(t: Test, apiType: 'DELTA_GRPC' | 'GRPC' = 'DELTA_GRPC'): Promise<StartedMesh> {
  const istiod = await startIstiod(t, { program: path, mesh: loopbackMeshConfig });
  const [port] = (await freePorts(1)) as [number];
  const [v1, v2] = await Promise.all([startVersion(t, 'v1', '127.0.0.11'), startVersion(t, 'v2', '127.0.0.12')]);
  const web = [webService(port), ...webVersion(v1), ...webVersion(v2), webSubsets('v1', 'v2')];
  const objects = [...meshObjects(), ...web, webRoutes({ route: [toVersion('v1')] })];
  await istiod.apply(documents(...objects));
  const bootstrap = istioBootstrap(loopbackSidecar, istiod.xdsAddress, apiType);
  await startSidecar(t, { bootstrap, flags: ['--no-config-cache', '--concurrency', '1'] });
  const mesh = new Mesh(istiod, port);
  await mesh.until(ok('v1 /'), '/');
  return { mesh, v1, v2, objects };
}

t.test('requests follow the routes of a VirtualService as it changes', options, async (t) => {
  const { mesh } = await startMesh(t);
  const toV1 = { route: [toVersion('v1')] };
  const at = (exact: string) => ({ match: [{ uri: { exact } }] });

  await mesh.route({ match: [{ headers: { 'x-user': { exact: 'jason' } } }], route: [toVersion('v2')] }, toV1);
  t.same(await mesh.ask('/', { 'x-user': 'jason' }), ok('v2 /'));
  t.same(await mesh.ask('/'), ok('v1 /'));

  await mesh.route({ route: [toVersion('v1', 50), toVersion('v2', 50)] });
  const answers = await Promise.all(Array.from({ length: 60 }, () => mesh.ask('/')));
  t.same([...new Set(answers.map(({ body }) => body))].sort(), ['v1 /', 'v2 /']);
  await mesh.route({ route: [toVersion('v1', 0), toVersion('v2', 100)] });
  for (let count = 0; count < 20; count++) t.same(await mesh.ask('/'), ok('v2 /'));

  await mesh.route({ match: [{ uri: { prefix: '/api/' } }], rewrite: { uri: '/' }, ...toV1 });
  t.same(await mesh.ask('/api/x'), ok('v1 /x'));
  t.equal((await mesh.ask('/')).status, 404, 'no other route is left');

  await mesh.route({ ...at('/old'), redirect: { uri: '/new', redirectCode: 308 } });
  t.equal((await mesh.ask('/old')).status, 308);

  await mesh.route({ timeout: '0.2s', ...toV1 });
  t.match(await mesh.ask('/slow'), { status: 504, body: /^upstream request timeout/ });

  await mesh.route({ retries: { attempts: 2, retryOn: '5xx' }, ...toV1 });
  for (let count = 0; count < 4; count++) t.same(await mesh.ask('/flaky'), ok('v1 /flaky'));
  await mesh.istiod.acknowledged('client-1.shop', 4);
});

t.test('endpoints come and go, and so does the service', options, async (t) => {
  const { mesh, v1, objects } = await startMesh(t);
  await mesh.istiod.remove(documents(...webVersion(v1)));
  await mesh.until({ status: 503, body: 'no healthy upstream' }, '/');
  t.match(await mesh.ask('/'), {
    body: /cluster outbound\|\d+\|v1\|web\.shop\.svc\.cluster\.local has no healthy endpoint/,
  });
  const moved = { ...(await startVersion(t, 'moved', '127.0.0.13')), version: 'v1' };
  await mesh.istiod.apply(documents(...webVersion(moved)));
  await mesh.until(ok('moved /'), '/');
  t.same(await mesh.ask('/x'), ok('moved /x'));
  await mesh.istiod.acknowledged('client-1.shop', 4);
  await mesh.istiod.remove(documents(...objects.slice(meshObjects().length)));
  await mesh.until(nobody, '/');
  t.same(await mesh.ask('/'), nobody, 'its listener is closed');
});

t.test('without a control plane everything goes on, and with the next one it is followed again', options, async (t) => {
  const { mesh, objects } = await startMesh(t);
  const { xdsAddress } = mesh.istiod;
  await mesh.istiod.stop();
  for (let count = 0; count < 20; count++) t.same(await mesh.ask('/'), ok('v1 /'));
  const next = await startIstiod(t, { program: path, mesh: loopbackMeshConfig, xdsAddress });
  await next.apply(documents(...objects, webRoutes({ route: [toVersion('v2')] })));
  await mesh.until(ok('v2 /'), '/');
  await next.acknowledged('client-1.shop', 4);
});

t.test('the state of the world is followed as changes are', options, async (t) => {
  const { mesh, v2 } = await startMesh(t, 'GRPC');
  await mesh.route({ route: [toVersion('v2')] });
  t.same(await mesh.ask('/'), ok('v2 /'));
  await mesh.istiod.remove(documents(...webVersion(v2)));
  await mesh.until({ status: 503, body: 'no healthy upstream' }, '/');
  await mesh.istiod.acknowledged('client-1.shop', 4);
  await mesh.istiod.remove(documents(webService(mesh.port)));
  await mesh.until(nobody, '/');
  t.same(await mesh.ask('/'), nobody, 'its listener is closed');
});
