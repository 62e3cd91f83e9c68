// Does the telemetry that a mesh is configured for arrive whole: tracing and access logs of every kind of provider that
// there is, as a real Istio renders them? Which requests are traced, tags, collectors.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AccessLog } from '../../config/access-log.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { Listener } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import type { Tracing } from '../../config/tracing.ts';
import { onlyItems } from '../support/only-items.ts';
import { type Istiod, startIstiod } from './istiod.ts';
import { findIstiod } from './istiod-program.ts';
import { PushedMesh } from './pushed-mesh.ts';
import { client } from './sidecar-identity.ts';

/** The first run builds Istio. */
t.setTimeout(900_000);

const program = await findIstiod();
const options = 'missing' in program ? { skip: program.missing } : {};
const path = 'path' in program ? program.path : '';

const host = (name: string) => `${name}.shop.svc.cluster.local`;
const token = [{ name: 'x-token', value: 'abc' }];
const extensionProviders = [
  {
    name: 'zipkin',
    zipkin: {
      service: host('zipkin'),
      port: 9411,
      maxTagLength: 64,
      timeout: '2s',
      headers: token,
      traceContextOption: 'USE_B3_WITH_W3C_PROPAGATION',
    },
  },
  {
    name: 'otlp-grpc',
    opentelemetry: {
      service: host('otel'),
      port: 4317,
      grpc: { timeout: '3s', initialMetadata: token },
      resourceDetectors: { environment: {} },
    },
  },
  {
    name: 'otlp-http',
    opentelemetry: { service: host('otel'), port: 4318, http: { path: '/v1/traces', timeout: '4s', headers: token } },
  },
  { name: 'skywalking', skywalking: { service: host('otel'), port: 4317 } },
  {
    name: 'http-entries',
    envoyHttpAls: { service: host('als'), port: 9001, additionalRequestHeadersToLog: ['X-User'] },
  },
  { name: 'tcp-entries', envoyTcpAls: { service: host('als'), port: 9001 } },
  {
    name: 'records',
    envoyOtelAls: {
      service: host('otel'),
      port: 4317,
      logFormat: { text: '%PROTOCOL% %RESPONSE_CODE%', labels: { user: '%REQ(X-USER)%' } },
    },
  },
];

interface TracedMesh {
  readonly istiod: Istiod;
  readonly pushed: PushedMesh;
  /** Makes this the mesh's one Telemetry. */
  readonly telemetry: (spec: object) => Promise<void>;
}

async function startMesh(t: Test, mesh: object): Promise<TracedMesh> {
  const istiod = await startIstiod(t, { program: path, mesh: { enableAutoMtls: false, ...mesh } });
  for (const file of ['services', 'without-tls', 'collectors']) {
    await istiod.apply(readFileSync(join(import.meta.dirname, 'mesh', `${file}.yaml`), 'utf8'));
  }
  const telemetry = (spec: object) => {
    const metadata = { name: 'mesh', namespace: 'istio-system' };
    return istiod.apply(JSON.stringify({ apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata, spec }));
  };
  return { istiod, pushed: new PushedMesh(t, istiod.xdsAddress, client), telemetry };
}

function managersOf(listener: Listener | undefined): readonly HttpConnectionManager[] {
  const filters = listener === undefined ? [] : filterChainsOf(listener).flatMap((chain) => chain.filters);
  return filters.flatMap((filter) => (filter.kind === 'http-connection-manager' ? [filter.config] : []));
}

/** Of requests to the sidecar's own application, and of those that it sends. */
function managersOfBoth({ listeners }: PushedMesh): readonly HttpConnectionManager[] {
  const [inbound, outbound] = ['virtualInbound', '0.0.0.0_80'].map((name) => managersOf(listeners.get(name))[0]);
  return inbound === undefined || outbound === undefined ? [] : [inbound, outbound];
}

/** What both say, once it is so. */
async function tracingsUntil(pushed: PushedMesh, holds: (tracing: Tracing) => boolean): Promise<readonly Tracing[]> {
  const tracings = () => managersOfBoth(pushed).flatMap(({ tracing }) => tracing ?? []);
  await pushed.until(() => tracings().filter(holds).length === 2);
  return tracings();
}

const clusterOf = (name: string, port: number) => `outbound|${port}||${host(name)}`;
const header = [['x-token', 'abc']];

t.test('every kind of tracing provider arrives whole, and is acknowledged', options, async (t) => {
  const { istiod, pushed, telemetry } = await startMesh(t, { extensionProviders });
  const customTags = {
    literal: { literal: { value: 'v' } },
    variable: { environment: { name: 'HOME', defaultValue: 'd' } },
    user: { header: { name: 'X-User', defaultValue: 'nobody' } },
    path: { formatter: { value: '%REQ(:PATH)%' } },
  };
  const sources = {
    literal: { kind: 'literal', value: 'v' },
    variable: { kind: 'environment', name: 'HOME', defaultValue: 'd' },
    user: { kind: 'request-header', name: 'x-user', defaultValue: 'nobody' },
    path: { kind: 'format', format: '%REQ(:PATH)%' },
    'istio.namespace': { kind: 'literal', value: 'shop' },
    'istio.authorization.dry_run.allow_policy.name': { kind: 'metadata', of: 'request' },
  };
  const services = {
    zipkin: {
      kind: 'http',
      cluster: clusterOf('zipkin', 9411),
      uri: `http://${host('zipkin')}/api/v2/spans`,
      timeoutMs: 2000,
      headers: header,
    },
    'otlp-grpc': {
      kind: 'grpc',
      cluster: clusterOf('otel', 4317),
      authority: host('otel'),
      timeoutMs: 3000,
      metadata: header,
    },
    'otlp-http': {
      kind: 'http',
      cluster: clusterOf('otel', 4318),
      uri: `http://${host('otel')}/v1/traces`,
      timeoutMs: 4000,
      headers: header,
    },
  };
  for (const [name, service] of Object.entries(services)) {
    await telemetry({ tracing: [{ providers: [{ name }], randomSamplingPercentage: 12.34, customTags }] });
    const tracings = await tracingsUntil(pushed, ({ provider }) => provider?.service.cluster === service.cluster);
    for (const { provider, sampling, customTags: tags } of tracings) {
      t.same(provider?.service, service, name);
      t.match(sampling, { clientPercent: 100, randomPerTenThousand: 1234, overallPerTenThousand: 10_000 });
      t.match(Object.fromEntries(tags.map(({ tag, source }) => [tag, source])), sources);
    }
    t.same(pushed.problems, [], name);
    await istiod.acknowledged('client-1.shop', 4);
  }
  t.match(pushed.clusters.get(clusterOf('otel', 4317))?.upstreamHttp, { protocol: 'http2' }, 'for calls of our own');
});

t.test('what is said of Zipkin and OpenTelemetry beside their service arrives, too', options, async (t) => {
  const { pushed, telemetry } = await startMesh(t, { extensionProviders });
  const use = (name: string, more: object = {}) => telemetry({ tracing: [{ providers: [{ name }], ...more }] });
  await use('zipkin', { disableContextPropagation: true });
  const [zipkin] = await tracingsUntil(pushed, ({ provider }) => provider?.kind === 'zipkin');
  t.match(zipkin, {
    maxPathTagLength: 64,
    noContextPropagation: true,
    provider: { encoding: 'json', traceId128Bit: true, sharedSpanContext: false, alsoW3c: true },
  });
  await use('otlp-grpc', { useRequestIdForTraceSampling: false });
  const [grpc] = await tracingsUntil(pushed, ({ provider }) => provider?.kind === 'opentelemetry');
  t.match(grpc, {
    sampling: { usesRequestId: false },
    provider: { serviceName: 'client.shop', resource: { fromEnvironment: true } },
  });
});

t.test('a provider that is not offered is refused by name, with the way out', options, async (t) => {
  const { pushed, telemetry } = await startMesh(t, { extensionProviders });
  await telemetry({ tracing: [{ providers: [{ name: 'skywalking' }] }] });
  await pushed.until(() => pushed.problems.length > 0);
  for (const problem of pushed.problems) {
    t.match(problem, /^lds ".*\.tracing\.provider\.typed_config: trace provider .*\.SkyWalkingConfig is not supported/);
    t.match(problem, /write envoy\.config\.trace\.v3\.OpenTelemetryConfig, and let an OpenTelemetry Collector pass/);
  }
});

const collectorsOf = (logs: readonly AccessLog[]) => logs.flatMap((log) => ('collector' in log ? [log.collector] : []));

t.test('access logs that go to collectors arrive whole, and are acknowledged', options, async (t) => {
  const { istiod, pushed, telemetry } = await startMesh(t, { extensionProviders });
  const providers = ['http-entries', 'tcp-entries', 'records'].map((name) => ({ name }));
  await telemetry({ accessLogging: [{ providers }] });
  const both = () => managersOfBoth(pushed).map(({ accessLogs }) => collectorsOf(accessLogs));
  await pushed.until(() => both().filter(({ length }) => length === 3).length === 2);
  const als = { service: { kind: 'grpc', cluster: clusterOf('als', 9001), authority: host('als') } };
  for (const collectors of both()) {
    const byKind = Object.fromEntries(collectors.map((collector) => [collector.kind, collector]));
    t.match(byKind, {
      'http-entries': { ...als, logName: 'http_envoy_accesslog', requestHeaders: onlyItems('x-user') },
      'tcp-entries': { ...als, logName: 'tcp_envoy_accesslog' },
      opentelemetry: {
        service: { cluster: clusterOf('otel', 4317) },
        logName: 'otel_envoy_accesslog',
        body: '%PROTOCOL% %RESPONSE_CODE%',
        attributes: onlyItems(onlyItems('user', '%REQ(X-USER)%')),
        hasBuiltinLabels: false,
      },
    });
  }
  t.same(pushed.problems, []);
  await istiod.acknowledged('client-1.shop', 4);
});

t.test('tracing of ProxyConfig names no provider: that of the bootstrap is meant', options, async (t) => {
  const tracing = { sampling: 50, maxPathTagLength: 99, customTags: { a: { literal: { value: 'b' } } } };
  const { istiod, pushed } = await startMesh(t, { enableTracing: true, defaultConfig: { tracing } });
  const tracings = await tracingsUntil(pushed, ({ sampling }) => sampling.randomPerTenThousand === 5000);
  for (const { provider, maxPathTagLength, customTags } of tracings) {
    t.equal(provider, undefined);
    t.equal(maxPathTagLength, 99);
    t.match(customTags[0], { tag: 'a', source: { kind: 'literal', value: 'b' } });
  }
  await istiod.acknowledged('client-1.shop', 4);
});
