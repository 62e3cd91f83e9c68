// Telemetry over TLS, through the whole process: collectors behind clusters with TLS, and one that the environment names.

import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { over, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority, type IssuedIdentity } from '../support/tls-fixtures.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const COLLECTOR = 'spiffe://mesh.test/ns/o/sa/otel';

interface Mesh {
  readonly folder: string;
  readonly authority: Authority;
  readonly web: IssuedIdentity;
  readonly collector: OtlpCollector;
}

/** A collector that takes clients of the mesh alone. */
async function makeMesh(t: Test): Promise<Mesh> {
  const folder = t.testdir({});
  const authority = Authority.make(`${folder}/ca`, 'mesh');
  const own = authority.issue({ subjectAltName: `URI:${COLLECTOR},DNS:localhost` });
  const terms = { cert: own.certificateChain, key: own.privateKey, clientRoots: authority.certificate };
  const collector = await startOtlpCollector(t, { kind: 'accept' }, terms);
  return {
    folder,
    authority,
    web: authority.issue({ subjectAltName: 'URI:spiffe://mesh.test/ns/a/sa/web' }),
    collector,
  };
}

const types = 'type.googleapis.com/envoy';

function tracedListener(name: string, service: object, manager: object = {}): object {
  const typed_config = { '@type': `${types}.config.trace.v3.OpenTelemetryConfig`, ...service };
  const tracing = { provider: { name: 'envoy.tracers.opentelemetry', typed_config } };
  return { name, address: socketAddress(0), filter_chains: [httpFilterChain('app', { tracing, ...manager })] };
}

const byHttp = (cluster: string) => ({
  http_service: { http_uri: { uri: 'https://otel/v1/traces', cluster, timeout: '1s' } },
});
const byGrpc = (cluster: string) => ({ grpc_service: { envoy_grpc: { cluster_name: cluster }, timeout: '1s' } });

async function get(sidecar: Sidecar, listener: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${sidecar.port(listener)}/`);
  await response.arrayBuffer();
  return response.status;
}

t.test('spans and access logs reach collectors behind clusters with TLS, and nobody else', async (t) => {
  const { authority, web, collector } = await makeMesh(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  const socketFor = (uri: string) => upstreamTlsSocket({ identity: web, roots: authority.certificate, uris: [uri] });
  const { httpPort, grpcPort } = collector;
  const stranger = 'spiffe://mesh.test/ns/o/sa/stranger';
  const grpcAt = (name: string) => ({ ...clusterAt(name, grpcPort), http2_protocol_options: {} });
  const accessLog = {
    name: 'otel',
    typed_config: {
      '@type': `${types}.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
      ...byGrpc('grpc'),
      buffer_flush_interval: '0.1s',
      body: { string_value: '%RESPONSE_CODE%' },
    },
  };
  const sidecar = await startSidecar(t, {
    bootstrap: {
      static_resources: {
        listeners: [
          tracedListener('http', byHttp('http')),
          tracedListener('grpc', byGrpc('grpc'), { access_log: [accessLog] }),
          tracedListener('stranger', byHttp('stranger')),
        ],
        clusters: [
          clusterAt('app', origin),
          over(socketFor(COLLECTOR), clusterAt('http', httpPort)),
          over(socketFor(COLLECTOR), grpcAt('grpc')),
          over(socketFor(stranger), clusterAt('stranger', httpPort)),
        ],
      },
    },
    flags: ['--concurrency', '1'],
  });
  for (const name of ['http', 'grpc']) {
    const before = collector.spans().length;
    t.equal(await get(sidecar, name), 200);
    await collector.spansAfter(before + 1);
    t.ok(collector.requests.some(({ signal, protocol }) => signal === 'traces' && protocol === name));
  }
  await collector.until(({ requests }) => requests.some(({ signal }) => signal === 'logs'));
  const { received } = collector;
  t.equal(await get(sidecar, 'stranger'), 200);
  await sidecar.logged(/do not reach collector stranger.* not for .*stranger/);
  t.equal(collector.received, received, 'not a byte to who is another');
});

t.test('metrics reach a collector of the environment by the certificates that it names', async (t) => {
  const { folder, authority, web, collector } = await makeMesh(t);
  const origin = await startNamedOrigin(t, 'one', '127.0.0.1');
  writeFileSync(`${folder}/roots.pem`, authority.certificate);
  writeFileSync(`${folder}/cert.pem`, web.certificateChain);
  writeFileSync(`${folder}/key.pem`, web.privateKey);
  const environment = {
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${collector.httpPort}`,
    OTEL_EXPORTER_OTLP_CERTIFICATE: `${folder}/roots.pem`,
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: `${folder}/cert.pem`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: `${folder}/key.pem`,
    OTEL_METRIC_EXPORT_INTERVAL: '100',
  };
  // The process inherits it.
  Object.assign(process.env, environment);
  t.teardown(() => {
    for (const name of Object.keys(environment)) delete process.env[name];
  });
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app')] }];
  await startSidecar(t, { bootstrap: { static_resources: { listeners, clusters: [clusterAt('app', origin)] } } });
  await collector.until(({ requests }) => requests.some(({ signal }) => signal === 'metrics'));
  t.pass('they came');
});
