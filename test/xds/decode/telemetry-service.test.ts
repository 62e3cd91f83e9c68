import fc from 'fast-check';
import t from 'tap';
import {
  decodeGrpcTelemetry,
  decodeHttpTelemetry,
  decodeResourceDetectors,
  decodeTelemetryService,
  wholeUri,
} from '../../../xds/decode/telemetry-service.ts';
import type {
  GrpcService,
  HttpService,
  OpenTelemetryConfig,
  TypedExtensionConfig,
} from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const grpc = (yaml: string) =>
  decodedAs('envoy.config.core.v3.GrpcService', yaml, (message: GrpcService, problems) =>
    decodeGrpcTelemetry(message, problems),
  );
const http = (yaml: string) =>
  decodedAs('envoy.config.core.v3.HttpService', yaml, (message: HttpService, problems) =>
    decodeHttpTelemetry(message, problems),
  );
const either = (yaml: string) =>
  decodedAs('envoy.config.trace.v3.OpenTelemetryConfig', yaml, (message: OpenTelemetryConfig, problems) =>
    decodeTelemetryService(message, problems),
  );
const uri = 'http_uri: {uri: "http://otel.example/v1/traces", cluster: c, timeout: 2s}';
const headers = (...options: readonly string[]) => {
  const { value, problems } = http(`{${uri}, request_headers_to_add: [${options.join(', ')}]}`);
  return { headers: value?.kind === 'http' ? value.headers : undefined, problems };
};
const header = (key: string, value: string, more = '') => `{header: {key: ${key}, value: "${value}"}${more}}`;

t.test('a gRPC service is a cluster, with what goes along with each call', async (t) => {
  t.same(grpc('{envoy_grpc: {cluster_name: c}}'), {
    value: { kind: 'grpc', cluster: 'c', authority: '', timeoutMs: 0, metadata: [] },
    problems: [],
  });
  const all =
    '{envoy_grpc: {cluster_name: c, authority: a}, timeout: 3s, initial_metadata: [{key: X-Token, value: 5%%}]}';
  t.same(grpc(all).value, {
    kind: 'grpc',
    cluster: 'c',
    authority: 'a',
    timeoutMs: 3000,
    metadata: [['x-token', '5%']],
  });
});

t.test("a service in gRPC's own naming is refused", async (t) => {
  const { value, problems } = grpc('{google_grpc: {target_uri: "a:1", stat_prefix: s}}');
  t.equal(value, undefined);
  t.same(problems, ['google_grpc: google_grpc for telemetry is not supported; write envoy_grpc with a cluster']);
});

t.test('an HTTP service is a cluster and a whole URI', async (t) => {
  t.same(http(`{${uri}}`), {
    value: { kind: 'http', cluster: 'c', uri: 'http://otel.example/v1/traces', timeoutMs: 2000, headers: [] },
    problems: [],
  });
  t.same(http('{}').problems, ['http_uri: http_uri is required: telemetry goes there']);
  t.matchOnly(http('{http_uri: {uri: "/x", cluster: c}}').problems, [/^http_uri\.timeout: timeout is required/]);
});

t.test('what a URI leaves out comes from the cluster, or is usual', async (t) => {
  t.equal(wholeUri('https://a.b:1/c?d', 'x'), 'https://a.b:1/c?d');
  t.equal(wholeUri('a.b/c', 'x'), 'http://a.b/c', 'as Istio writes it');
  t.equal(wholeUri('a.b', 'x'), 'http://a.b/');
  t.equal(wholeUri('http://a.b', 'x'), 'http://a.b/');
  t.equal(wholeUri('/c/d', 'outbound|80||x'), 'http://outbound|80||x/c/d');
});

t.test('every URI becomes one with a scheme, an authority and a path, and stays so', async (t) => {
  const cluster = fc.stringMatching(/^[a-z|.]{1,20}$/);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), cluster, (text, name) => {
      const whole = wholeUri(text, name);
      t.match(whole, /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]+\//);
      t.equal(wholeUri(whole, name), whole);
    }),
    { numRuns: 200 },
  );
});

t.test('headers are added, replaced or left as their action says', async (t) => {
  t.same(headers(header('A', '1'), header('a', '2')).headers, [
    ['a', '1'],
    ['a', '2'],
  ]);
  t.same(headers(header('a', '1'), header('a', '2', ', append_action: OVERWRITE_IF_EXISTS_OR_ADD')).headers, [
    ['a', '2'],
  ]);
  t.same(headers(header('a', '1'), header('a', '2', ', append_action: ADD_IF_ABSENT')).headers, [['a', '1']]);
  t.same(headers(header('a', '2', ', append_action: OVERWRITE_IF_EXISTS')).headers, []);
});

t.test('a value may hold the environment, and nothing of a request', async (t) => {
  process.env['OUTRIGGER_TEST_TOKEN'] = 'secret';
  t.teardown(() => {
    delete process.env['OUTRIGGER_TEST_TOKEN'];
  });
  t.same(headers(header('a', 'Bearer %ENVIRONMENT(OUTRIGGER_TEST_TOKEN)% 5%%')).headers, [['a', 'Bearer secret 5%']]);
  t.same(headers(header('a', '[%ENVIRONMENT(OUTRIGGER_TEST_NONE)%]')).headers, [['a', '[]']]);
  t.matchOnly(headers(header('a', '%REQ(x)%')).problems, [
    /^request_headers_to_add\[0\]\.header\.value: %REQ% is not supported; only %ENVIRONMENT\(NAME\)% is/,
  ]);
  t.equal(headers(header('a', '50% of')).problems.length, 1);
  t.matchOnly(headers(header('Content-Type', 'x')).problems, [/\.header\.key: setting Content-Type is not supported/]);
});

t.test('of two kinds of service there is one', async (t) => {
  const message = ': exactly one of grpc_service and http_service is required: telemetry goes there';
  t.same(either('{}').problems, [message]);
  t.same(either(`{grpc_service: {envoy_grpc: {cluster_name: c}}, http_service: {${uri}}}`).problems, [message]);
  t.match(either(`{http_service: {${uri}}}`).value, { kind: 'http' });
  t.match(either('{grpc_service: {envoy_grpc: {cluster_name: c}}}').value, { kind: 'grpc' });
});

const detectors = (...yaml: readonly string[]) =>
  decodedAs(
    'envoy.config.trace.v3.OpenTelemetryConfig',
    `{resource_detectors: [${yaml.join(', ')}]}`,
    ({ resourceDetectors }: { resourceDetectors?: readonly TypedExtensionConfig[] }, problems) =>
      decodeResourceDetectors(resourceDetectors, problems.at('resource_detectors')),
  );
const detector = (name: string, fields = '') =>
  `{name: d, typed_config: {"@type": a/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.${name}${fields}}}`;
const environment = detector('EnvironmentResourceDetectorConfig');
const written = (attributes: string) => detector('StaticConfigResourceDetectorConfig', `, attributes: {${attributes}}`);

t.test('a resource is that of the environment, and what is written over it', async (t) => {
  t.same(detectors().value, { fromEnvironment: false, attributes: [] });
  t.same(detectors(environment, written('a: "1", b: "2"'), written('a: "3"')), {
    value: {
      fromEnvironment: true,
      attributes: [
        ['a', '3'],
        ['b', '2'],
      ],
    },
    problems: [],
  });
  t.matchOnly(detectors(written('a: b'), environment).problems, [/^resource_detectors\[1\]: the environment behind/]);
  t.matchOnly(detectors(detector('DynatraceResourceDetectorConfig')).problems, [
    /^resource_detectors\[0\]\.typed_config: resource detector .*Dynatrace.* is not supported; supported are/,
  ]);
});
