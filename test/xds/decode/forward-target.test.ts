import t from 'tap';
import { decodeForwardTarget } from '../../../xds/decode/forward-target.ts';
import type { RouteAction } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';

const target = (yaml: string) =>
  decodedAs('envoy.config.route.v3.RouteAction', yaml, (message: RouteAction, problems) =>
    decodeForwardTarget(message, problems),
  );
const weighted = (clusters: string, rest = '') => target(`{weighted_clusters: {clusters: [${clusters}]${rest}}}`);

t.test('one cluster, by name or by header', async (t) => {
  t.same(target('{cluster: a}').value, { kind: 'cluster', name: 'a' });
  t.same(target('{cluster_header: X-C}').value, { kind: 'cluster-header', header: 'X-C' });
});

t.test('clusters by weight', async (t) => {
  const { value, problems } = weighted(
    '{name: a, weight: 3}, {cluster_header: x-c, weight: 0, host_rewrite_literal: h, request_headers_to_remove: [b]}',
    ', runtime_key_prefix: r',
  );
  t.same(problems, []);
  const none = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };
  t.same(value, {
    kind: 'weighted',
    clusters: [
      { target: { kind: 'cluster', name: 'a' }, weight: 3, headers: none, perFilterConfig: {} },
      {
        target: { kind: 'cluster-header', header: 'x-c' },
        weight: 0,
        headers: { ...none, requestRemove: ['b'] },
        hostRewriteLiteral: 'h',
        perFilterConfig: {},
      },
    ],
    totalWeight: 3,
    runtimeKeyPrefix: 'r',
  });
});

t.test('a header may have the random value', async (t) => {
  const clusters = 'clusters: [{name: a, weight: 1}]';
  t.match(target(`weighted_clusters: {${clusters}, header_name: X-Sticky}`).value, { randomValueHeader: 'X-Sticky' });
  t.notOk('randomValueHeader' in target(`weighted_clusters: {${clusters}, header_name: ""}`).value!);
});

t.test('the sum of the weights counts, whatever total_weight says', async (t) => {
  t.match(weighted('{name: a, weight: 3}', ', total_weight: 100'), { value: { totalWeight: 3 }, problems: noItems });
});

t.test('problems', async (t) => {
  const place = 'weighted_clusters.clusters';
  const rows: readonly [clusters: string, rest: string, problem: string][] = [
    ['{name: a, weight: 0}', '', `${place}: the sum of weights must be more than 0`],
    ['{name: a}', '', `${place}[0].weight: weight is required`],
    ['{weight: 1}', '', `${place}[0]: one of name and cluster_header is required, not both`],
    [
      '{name: a, cluster_header: b, weight: 1}',
      '',
      `${place}[0]: one of name and cluster_header is required, not both`,
    ],
    [
      '{name: a, weight: 4294967295}, {name: b, weight: 1}',
      '',
      `${place}: the sum of weights must be at most 4294967295`,
    ],
  ];
  for (const [clusters, rest, problem] of rows) t.ok(weighted(clusters, rest).problems.includes(problem), problem);
  t.same(target('{}').problems, [': one of cluster, cluster_header, weighted_clusters is required']);
});
