import t from 'tap';
import { environmentSink } from '../../../proxy/export/metrics-environment.ts';
import { onlyItems } from '../../support/only-items.ts';

const otlp = { OTEL_METRICS_EXPORTER: 'otlp' };

t.test('an environment that does not ask for it exports nothing', (t) => {
  for (const environment of [
    {},
    { OTEL_METRICS_EXPORTER: '' },
    { OTEL_METRICS_EXPORTER: 'none' },
    { ...otlp, OTEL_SDK_DISABLED: 'true' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' },
  ]) {
    t.equal(environmentSink(environment), null);
  }
  t.end();
});

t.test('the defaults are those of OpenTelemetry', (t) => {
  const { sink, cluster, intervalMs } = environmentSink(otlp)!;
  t.equal(intervalMs, 60_000);
  t.strictSame(cluster.endpoints, [{ kind: 'host', hostname: 'localhost', port: 4318 }]);
  t.match(sink, {
    service: { kind: 'http', uri: 'http://localhost:4318/v1/metrics', cluster: cluster.name },
    resource: { fromEnvironment: true },
    countersAsDeltas: false,
    histogramsAsDeltas: false,
    tagsAsAttributes: true,
  });
  t.match(environmentSink({ ...otlp, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }), {
    sink: { service: { kind: 'grpc', authority: 'localhost:4317' } },
    cluster: { endpoints: onlyItems({ port: 4317 }) },
  });
  t.end();
});

t.test('the endpoint of metrics is taken as it is, the general one gets their path', (t) => {
  const general = { ...otlp, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector/otlp/' };
  t.match(environmentSink(general), {
    sink: { service: { uri: 'http://collector/otlp/v1/metrics' } },
    cluster: { endpoints: onlyItems({ hostname: 'collector', port: 80 }) },
  });
  const own = { ...general, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://[::1]:9/here' };
  t.match(environmentSink(own), {
    sink: { service: { uri: 'http://[::1]:9/here' } },
    cluster: { endpoints: onlyItems({ hostname: '::1', port: 9 }) },
  });
  t.end();
});

t.test('a collector over TLS is judged by the files that are named, those of metrics first, or by the system', (t) => {
  const secured = { ...otlp, OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector' };
  t.strictSame(environmentSink(secured)?.cluster, {
    name: 'collector',
    endpoints: [{ kind: 'host', hostname: 'collector', port: 443 }],
    connectTimeoutMs: 10_000,
    tls: { subjectAltNames: [] },
  });
  const files = {
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/all/ca',
    OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE: '/metrics/ca',
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/all/cert',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: '/all/key',
  };
  t.strictSame(environmentSink({ ...secured, ...files })?.cluster.tls, {
    roots: { kind: 'file', path: '/metrics/ca' },
    certificateChain: { kind: 'file', path: '/all/cert' },
    privateKey: { kind: 'file', path: '/all/key' },
    subjectAltNames: [],
  });
  t.notOk(environmentSink({ ...otlp, ...files, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector' })?.cluster.tls);
  t.end();
});

t.test('interval and temporality can be chosen', (t) => {
  const temporality = 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE';
  t.match(environmentSink({ ...otlp, OTEL_METRIC_EXPORT_INTERVAL: '1000', [temporality]: 'DELTA' }), {
    intervalMs: 1000,
    sink: { countersAsDeltas: true, histogramsAsDeltas: true },
  });
  t.match(environmentSink({ ...otlp, [temporality]: 'lowmemory' }), { sink: { countersAsDeltas: true } });
  t.end();
});

t.test('what cannot be followed is named', (t) => {
  const refused: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ OTEL_METRICS_EXPORTER: 'prometheus' }, /OTEL_METRICS_EXPORTER=prometheus/],
    [{ ...otlp, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, /OTEL_EXPORTER_OTLP_PROTOCOL=http\/json/],
    [
      { ...otlp, OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector', OTEL_EXPORTER_OTLP_CLIENT_KEY: '/key' },
      /CLIENT_CERTIFICATE and .*CLIENT_KEY belong together/,
    ],
    [{ ...otlp, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'collector:4318' }, /OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=.*a URL/],
    [{ ...otlp, OTEL_METRIC_EXPORT_INTERVAL: '0' }, /OTEL_METRIC_EXPORT_INTERVAL=0/],
    [{ ...otlp, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'other' }, /TEMPORALITY_PREFERENCE=other/],
  ];
  for (const [environment, message] of refused) t.throws(() => environmentSink(environment), message);
  t.end();
});

t.test('credentials in an endpoint are refused, and never told', (t) => {
  for (const endpoint of [
    'http://ops:secret@collector:4318',
    'https://ops:secret@collector',
    'ftp://secret@collector',
  ]) {
    try {
      environmentSink({ ...otlp, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
      t.fail(endpoint);
    } catch (error) {
      const { message } = error as Error;
      t.match(message, /^OTEL_EXPORTER_OTLP_ENDPOINT: .*credentials.* OTEL_EXPORTER_OTLP_HEADERS/);
      t.notMatch(message, /secret|ops/);
    }
  }
  t.end();
});
