// Are requests through a sidecar of a real Istio seen by the collector that the mesh's Telemetry names, over each protocol?
// The collector is a service of the mesh: its cluster and its endpoint come from Istio, too.

import { once } from 'node:events';
import { request } from 'node:http';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { startOtlpCollector } from '../support/otlp-collector.ts';
import { pause } from '../support/pause.ts';
import { startSidecar } from '../support/sidecar.ts';
import { startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import {
  documents,
  loopbackMeshConfig,
  loopbackSidecar,
  meshObjects,
  type WebVersion,
  webService,
  webVersion,
} from './loopback-mesh.ts';
import { istioBootstrap } from './sidecar-identity.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const program = await findIstiod();
const options = 'missing' in program ? { skip: program.missing } : {};
const path = 'path' in program ? program.path : '';

/** An endpoint of `web` that says 200 to everything. */
async function startWeb(t: Test): Promise<WebVersion> {
  const ip = '127.0.0.11';
  return { version: 'v1', ip, port: await startHttpOrigin(t, (_request, response) => response.end(), { ip }) };
}

/** The service `otel` with a port for each protocol, and its one endpoint. */
function collectorService({ httpPort, grpcPort }: { readonly httpPort: number; readonly grpcPort: number }) {
  const metadata = { name: 'otel', namespace: 'shop' };
  const ports = [
    { name: 'grpc-otlp', port: 4317, targetPort: grpcPort },
    { name: 'http-otlp', port: 4318, targetPort: httpPort },
  ];
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: '127.0.1.2', selector: { app: 'otel' }, ports } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'otel' } },
      addressType: 'IPv4',
      ports: ports.map(({ name, targetPort }) => ({ name, port: targetPort })),
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    },
  ];
}

const service = 'otel.shop.svc.cluster.local';
const extensionProviders = [
  { name: 'grpc', opentelemetry: { service, port: 4317, grpc: { timeout: '3s' } } },
  { name: 'http', opentelemetry: { service, port: 4318, http: { path: '/v1/traces', timeout: '3s' } } },
];

for (const protocol of ['grpc', 'http'] as const) {
  t.test(`a request of a traced mesh is a span at its collector, over ${protocol}`, options, async (t) => {
    const collector = await startOtlpCollector(t);
    const web = await startWeb(t);
    const istiod = await startIstiod(t, { program: path, mesh: { ...loopbackMeshConfig, extensionProviders } });
    const telemetry = {
      apiVersion: 'telemetry.istio.io/v1',
      kind: 'Telemetry',
      metadata: { name: 'mesh', namespace: 'istio-system' },
      spec: {
        tracing: [
          {
            providers: [{ name: protocol }],
            randomSamplingPercentage: 100,
            customTags: { user: { header: { name: 'x-user' } } },
          },
        ],
      },
    };
    const objects = [...meshObjects(), webService(web.port), ...webVersion(web), ...collectorService(collector)];
    await istiod.apply(documents(...objects, telemetry));
    const bootstrap = istioBootstrap(loopbackSidecar, istiod.xdsAddress, 'DELTA_GRPC');
    const sidecar = await startSidecar(t, { bootstrap, flags: ['--no-config-cache', '--concurrency', '1'] });
    const spanOf = async () => {
      // What is pushed first may lack a part of the mesh: asked until it is there.
      for (;;) {
        await ask(web.port);
        const [span] = collector.spans();
        if (span !== undefined) return span;
        await pause();
      }
    };
    t.match(await spanOf(), {
      name: `web.shop.svc.cluster.local:${web.port}/*`,
      kind: 'SPAN_KIND_CLIENT',
      attributes: { user: 'jason', 'istio.namespace': 'shop', 'sampling.reason': 'head' },
      resource: { 'service.name': 'client.shop' },
    });
    t.equal(collector.requests[0]?.protocol, protocol);
    await istiod.acknowledged('client-1.shop', 4);
    t.match(await sidecar.admin('/stats?filter=tracing.opentelemetry.spans_sent'), /spans_sent: [1-9]/);
  });
}

async function ask(port: number): Promise<void> {
  const headers = { host: `web.shop.svc.cluster.local:${port}`, 'x-user': 'jason' };
  const asked = request({ port, headers, agent: false });
  asked.end();
  try {
    const [response] = await once(asked, 'response');
    response.resume();
    await once(response, 'end');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Nobody listens yet, or a listener was replaced.
    if (code !== 'ECONNREFUSED' && code !== 'ECONNRESET') throw error;
  }
}
