import t from 'tap';
import { decodeDecorator, decodeRouteTracing, decodeTracing } from '../../../xds/decode/tracing.ts';
import type { Decorator, HttpConnectionManager, RouteTracing } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const decoded = (fields: string) =>
  decodedAs(
    typeName,
    `{stat_prefix: s, route_config: {}, ${fields}}`,
    (message: HttpConnectionManager, problems) => decodeTracing(message, false, problems)?.sampling ?? null,
  );
const uuid = (fields: string) =>
  `request_id_extension: {typed_config: {"@type": a/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig, ${fields}}}`;

t.test('without tracing nothing is chosen', async (t) => {
  t.same(decoded(''), { value: null, problems: [] });
  t.same(decoded(uuid('')), { value: null, problems: [] });
});

t.test('shares have their defaults, and are rounded down', async (t) => {
  const all = {
    clientPercent: 100,
    randomPerTenThousand: 10_000,
    overallPerTenThousand: 10_000,
    usesRequestId: true,
    marksIds: true,
  };
  t.same(decoded('tracing: {}'), { value: all, problems: [] });
  t.same(
    decoded(
      'tracing: {client_sampling: {value: 2.9}, random_sampling: {value: 1.239}, overall_sampling: {}, verbose: true}',
    ),
    { value: { ...all, clientPercent: 2, randomPerTenThousand: 123, overallPerTenThousand: 0 }, problems: [] },
  );
});

t.test('the extension says what is done with ids', async (t) => {
  t.match(decoded(`tracing: {}, ${uuid('pack_trace_reason: false')}`), {
    value: { marksIds: false },
    problems: noItems,
  });
  const independent = decoded(`tracing: {}, ${uuid('use_request_id_for_trace_sampling: false')}`);
  t.match(independent, { value: { usesRequestId: false }, problems: noItems });
});

t.test('another kind of request id is refused', async (t) => {
  t.matchOnly(decoded('request_id_extension: {typed_config: {"@type": a/b.C}}').problems, [
    /^request_id_extension\.typed_config: request id extension a\/b\.C is not supported/,
  ]);
});

const traced = (fields: string, startsChildSpan = false) =>
  decodedAs(
    typeName,
    `{stat_prefix: s, route_config: {}, tracing: {${fields}}}`,
    (message: HttpConnectionManager, problems) => decodeTracing(message, startsChildSpan, problems),
  );

t.test('what is recorded has the defaults of Envoy', async (t) => {
  const { value, problems } = traced('');
  t.same(problems, []);
  const { sampling: _chosen, ...rest } = value!;
  t.same(rest, {
    customTags: [],
    maxPathTagLength: 256,
    verbose: false,
    spawnUpstreamSpan: false,
    operation: '',
    upstreamOperation: '',
    noContextPropagation: false,
  });
});

t.test('every option is carried', async (t) => {
  const zipkin =
    'provider: {name: p, typed_config: {"@type": a/envoy.config.trace.v3.ZipkinConfig, collector_cluster: c, collector_endpoint: /x, collector_endpoint_version: HTTP_JSON}}';
  const options =
    'max_path_tag_length: 0, verbose: true, spawn_upstream_span: true, operation: "%REQ(:path)%", upstream_operation: up, no_context_propagation: true';
  t.match(traced(`${zipkin}, custom_tags: [{tag: a, literal: {value: b}}], ${options}`), {
    value: {
      provider: { kind: 'zipkin', name: 'p' },
      customTags: onlyItems({ tag: 'a' }),
      maxPathTagLength: 0,
      verbose: true,
      spawnUpstreamSpan: true,
      operation: '%REQ(:path)%',
      upstreamOperation: 'up',
      noContextPropagation: true,
    },
    problems: noItems,
  });
  t.match(traced('', true).value, { spawnUpstreamSpan: true }, 'the older option of the router');
  t.matchOnly(traced('operation: "%NOPE%"').problems, [/^tracing\.operation: %NOPE% is not a supported command/]);
});

t.test('connection managers that say the same share one object', async (t) => {
  const fields = 'random_sampling: {value: 7}, custom_tags: [{tag: a, literal: {value: b}}]';
  t.equal(traced(fields).value, traced(fields).value);
});

const ofRoute = (fields: string) =>
  decodedAs('envoy.config.route.v3.Tracing', `{${fields}}`, (message: RouteTracing, problems) =>
    decodeRouteTracing(message, problems),
  );

t.test('a route says all percentages, and may have tags and operations of its own', async (t) => {
  t.same(ofRoute('').value, {
    clientPerTenThousand: 10_000,
    randomPerTenThousand: 10_000,
    overallPerTenThousand: 10_000,
    customTags: [],
    operation: '',
    upstreamOperation: '',
  });
  const shares =
    'client_sampling: {}, random_sampling: {numerator: 15, denominator: MILLION}, overall_sampling: {numerator: 250}';
  t.match(ofRoute(`${shares}, custom_tags: [{tag: a, literal: {value: b}}], operation: o, upstream_operation: u`), {
    value: {
      clientPerTenThousand: 0,
      randomPerTenThousand: 0,
      overallPerTenThousand: 10_000,
      customTags: onlyItems({ tag: 'a' }),
      operation: 'o',
      upstreamOperation: 'u',
    },
    problems: noItems,
  });
  t.match(ofRoute('random_sampling: {numerator: 12, denominator: TEN_THOUSAND}').value, { randomPerTenThousand: 12 });
  t.matchOnly(ofRoute('upstream_operation: "%NOPE%"').problems, [/^upstream_operation: %NOPE%/]);
});

t.test('a decorator is told to the next hop unless it says otherwise', async (t) => {
  const decorator = (yaml: string) =>
    decodedAs('envoy.config.route.v3.Decorator', yaml, (message: Decorator) => decodeDecorator(message)).value;
  t.same(decorator('{operation: o}'), { operation: 'o', propagate: true });
  t.same(decorator('{operation: o, propagate: false}'), { operation: 'o', propagate: false });
});
