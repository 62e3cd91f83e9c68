import t from 'tap';
import { decodeStatsSinks } from '../../../xds/decode/stats-sink.ts';
import type { Bootstrap } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const type = '"@type": a/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig';
const grpc = 'grpc_service: {envoy_grpc: {cluster_name: c}}';
const stats = (fields: string) =>
  decodedAs('envoy.config.bootstrap.v3.Bootstrap', `{${fields}}`, (message: Bootstrap, problems) =>
    decodeStatsSinks(message, problems),
  );
const sink = (fields: string, more = '') =>
  stats(`stats_sinks: [{name: s, typed_config: {${type}, ${fields}}}]${more}`);

t.test('there is none without one, and the interval of Envoy', async (t) => {
  t.same(stats(''), { value: { sinks: [], flushIntervalMs: 5000 }, problems: [] });
});

t.test('a sink has the defaults of Envoy', async (t) => {
  t.same(sink(grpc), {
    value: {
      sinks: [
        {
          service: { kind: 'grpc', cluster: 'c', authority: '', timeoutMs: 0, metadata: [] },
          resource: { fromEnvironment: false, attributes: [] },
          countersAsDeltas: false,
          histogramsAsDeltas: false,
          tagsAsAttributes: true,
          usesTagExtractedNames: true,
          prefix: '',
          maxDataPointsPerRequest: 0,
        },
      ],
      flushIntervalMs: 5000,
    },
    problems: [],
  });
});

t.test('every option of a sink is carried', async (t) => {
  const http = 'http_service: {http_uri: {uri: "http://a/v1/metrics", cluster: c, timeout: 1s}}';
  const options =
    'report_counters_as_deltas: true, report_histograms_as_deltas: true, emit_tags_as_attributes: false, use_tag_extracted_name: false, prefix: p, max_data_points_per_request: 7';
  t.match(sink(`${http}, ${options}`, ', stats_flush_interval: 0.5s'), {
    value: {
      sinks: onlyItems({
        service: { kind: 'http' },
        countersAsDeltas: true,
        histogramsAsDeltas: true,
        tagsAsAttributes: false,
        usesTagExtractedNames: false,
        prefix: 'p',
        maxDataPointsPerRequest: 7,
      }),
      flushIntervalMs: 500,
    },
    problems: noItems,
  });
});

t.test('a sink without a service, and any other sink, is refused', async (t) => {
  t.same(sink('prefix: p').problems, ['stats_sinks[0].typed_config: one of grpc_service, http_service is required']);
  for (const other of ['StatsdSink', 'MetricsServiceConfig']) {
    t.matchOnly(
      stats(`stats_sinks: [{name: s, typed_config: {"@type": a/envoy.config.metrics.v3.${other}}}]`).problems,
      [
        /^stats_sinks\[0\]\.typed_config: stats sink .* is not supported; write .*SinkConfig, or scrape \/stats\/prometheus$/,
      ],
    );
  }
});

t.test('flushing when stats are read is for nothing without a sink, and refused with one', async (t) => {
  t.same(stats('stats_flush_on_admin: true').problems, []);
  t.matchOnly(sink(grpc, ', stats_flush_on_admin: true').problems, [/^stats_flush_on_admin: .* is not supported/]);
});
