import t from 'tap';
import { decodeUpstreamHttp, refuseHttp2 } from '../../../xds/decode/upstream-http.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';

const options = (fields: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, ${fields}}`, (message: Cluster, problems) =>
    decodeUpstreamHttp(message, problems),
  );
const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const typed = (fields: string) => `typed_extension_protocol_options: {${name}: {"@type": a/${name}, ${fields}}}`;

const defaults = {
  protocol: 'http1',
  idleTimeoutMs: 3_600_000,
  maxConnectionDurationMs: 0,
  maxRequestsPerConnection: 0,
  maxResponseHeadersKb: 60,
  maxResponseHeadersCount: 100,
  enableTrailers: false,
};

t.test('the defaults', async (t) => {
  t.same(options(''), { value: defaults, problems: [] });
  t.same(options(typed('explicit_http_config: {http_protocol_options: {}}')), { value: defaults, problems: [] });
});

t.test('the same options in their three places', async (t) => {
  const common =
    'common_http_protocol_options: {idle_timeout: 1s, max_connection_duration: 2s, max_requests_per_connection: 3, max_headers_count: 4, max_response_headers_kb: 96}';
  const http1 = 'http_protocol_options: {enable_trailers: true}';
  const expected = {
    ...defaults,
    idleTimeoutMs: 1000,
    maxConnectionDurationMs: 2000,
    maxRequestsPerConnection: 3,
    maxResponseHeadersKb: 96,
    maxResponseHeadersCount: 4,
    enableTrailers: true,
  };
  t.same(options(`${common}, ${http1}`).value, expected);
  t.same(options(typed(`${common}, explicit_http_config: {${http1}}`)).value, expected);
  t.same(options(typed(`${common}, use_downstream_protocol_config: {${http1}}`)).value, expected);
});

t.test('max_requests_per_connection of the cluster is the older one', async (t) => {
  const older = 'max_requests_per_connection: 7';
  t.equal(options(older).value.maxRequestsPerConnection, 7);
  const newer = 'common_http_protocol_options: {max_requests_per_connection: 3}';
  t.equal(options(`${older}, ${newer}`).value.maxRequestsPerConnection, 3);
});

t.test('problems', async (t) => {
  const explicit = 'explicit_http_config: {http_protocol_options: {}}';
  const place = `typed_extension_protocol_options["${name}"]`;
  const rows: readonly [fields: string, problem: string][] = [
    [
      `${typed(explicit)}, common_http_protocol_options: {}`,
      `common_http_protocol_options: may not be set together with ${name}, which replaces it`,
    ],
    [
      'typed_extension_protocol_options: {a: {"@type": a/b.C}}',
      `typed_extension_protocol_options["a"]: protocol options a/b.C is not supported; only ${name} is, by that name`,
    ],
    [
      typed(`${explicit}, common_http_protocol_options: {max_stream_duration: 1s}`),
      `${place}.common_http_protocol_options.max_stream_duration: max_stream_duration of a cluster is not supported; set it on the route`,
    ],
    [
      'http_protocol_options: {header_key_format: {proper_case_words: {}}}',
      'http_protocol_options.header_key_format.proper_case_words: proper_case_words of a cluster is not supported; names keep their case',
    ],
  ];
  for (const [fields, problem] of rows) t.same(options(fields).problems, [problem]);
});

t.test(
  'HTTP/2 is taken of a cluster that calls of our own may go to, and refused of a static one of requests',
  async (t) => {
    const problem =
      'http2_protocol_options: http2_protocol_options is not supported; HTTP/2 to endpoints is not offered yet';
    const rows: readonly [fields: string, place: string][] = [
      ['http2_protocol_options: {}', ''],
      [
        typed('explicit_http_config: {http2_protocol_options: {}}'),
        `typed_extension_protocol_options["${name}"].explicit_http_config.`,
      ],
    ];
    for (const [fields, place] of rows) {
      t.match(options(fields), { value: { protocol: 'http2' }, problems: noItems });
      const refused = decodedAs(
        'envoy.config.cluster.v3.Cluster',
        `{name: c, ${fields}}`,
        (message: Cluster, problems) => refuseHttp2(message, problems),
      );
      t.same(refused.problems, [`${place}${problem}`]);
    }
  },
);
