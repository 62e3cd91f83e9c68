import t from 'tap';
import type { IstioStats } from '../../../config/istio-filter.ts';
import { httpMetrics, MetricGroups, tagNames, tcpMetrics } from '../../../proxy/istio/metric-tags.ts';
import { labelNames } from '../../../proxy/telemetry/stat-scope.ts';

const config = (overrides: IstioStats['overrides'] = {}) => ({
  config: { usesHostHeader: true, tcpReportingIntervalMs: 0, overrides },
  nodeMetadata: {},
});

t.test('metrics with the same tags are counted together, also of several filters', async (t) => {
  const groups = new MetricGroups();
  const [http, none] = groups.compile(httpMetrics, config());
  t.equal(none, undefined);
  t.same(labelNames(http!.set.scope), tagNames);
  t.same(Object.keys(http!.index), httpMetrics);
  t.equal(groups.compile(httpMetrics, config())[0]!.set, http!.set);
});

t.test('connections have no response', async (t) => {
  const [tcp] = new MetricGroups().compile(tcpMetrics, config());
  t.equal(labelNames(tcp!.set.scope).length, tagNames.length - 2);
});

t.test('a metric with tags of its own is counted by itself, and a dropped one not at all', async (t) => {
  const removedTags = tagNames.filter((name) => name !== 'reporter');
  const tags = { mesh: { kind: 'literal', text: '' } } as const;
  const groups = new MetricGroups().compile(
    httpMetrics,
    config({
      request_bytes: { isDropped: false, removedTags, tags },
      response_bytes: { isDropped: true, removedTags: [], tags: {} },
    }),
  );
  t.same(
    groups.map(({ index }) => Object.keys(index)),
    [['requests_total', 'request_duration_milliseconds'], ['request_bytes']],
  );
  const names = groups[1]!.names({ reporter: 'source' } as never, { host: '', method: '' });
  t.same(names, ['source', 'unknown']);
  t.same(groups[1]!.otherNames(names), ['source', 'other']);
});
