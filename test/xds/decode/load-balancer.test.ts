import t from 'tap';
import { decodeLoadBalancer } from '../../../xds/decode/load-balancer.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decode = (fields: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, ${fields}}`, (message: Cluster, problems) =>
    decodeLoadBalancer(message, problems),
  );
const typed = (...policies: readonly string[]) => {
  const extensions = policies.map(
    (policy) => `{typed_extension_config: {name: p, typed_config: {"@type": t/envoy.extensions.${policy}}}}`,
  );
  return `load_balancing_policy: {policies: [${extensions.join(', ')}]}`;
};
const roundRobin = 'load_balancing_policies.round_robin.v3.RoundRobin';
const leastRequest = 'load_balancing_policies.least_request.v3.LeastRequest';
const random = 'load_balancing_policies.random.v3.Random';
const provided = 'load_balancing_policies.cluster_provided.v3.ClusterProvided';
const ringHash = 'load_balancing_policies.ring_hash.v3.RingHash';

t.test('a typed policy is the same as the one of that name', async (t) => {
  const bias = 'active_request_bias: {default_value: 0, runtime_key: k}';
  for (const [one, other] of [
    [typed(roundRobin), 'lb_policy: ROUND_ROBIN'],
    [typed(random), 'lb_policy: RANDOM'],
    [typed(leastRequest), 'lb_policy: LEAST_REQUEST'],
    [
      typed(`${leastRequest}, choice_count: 4, ${bias}`),
      `lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 4, ${bias}}`,
    ],
    [
      typed(`${random}, locality_lb_config: {locality_weighted_lb_config: {}}`),
      'lb_policy: RANDOM, common_lb_config: {locality_weighted_lb_config: {}}',
    ],
    [
      `type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, ${typed(provided)}`,
      'type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED',
    ],
  ] as const) {
    const { value, problems } = decode(one);
    t.same(problems, [], one);
    t.same(value, decode(other).value, one);
    t.ok(value, one);
  }
});

t.test('it wins over lb_policy and its settings, and takes the threshold of panic from outside', async (t) => {
  const { value, problems } = decode(
    `lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 5}, common_lb_config: {healthy_panic_threshold: {value: 3}}, ${typed(roundRobin)}`,
  );
  t.same(problems, []);
  t.same(value, { policy: { kind: 'round-robin' }, localityWeighted: false, healthyPanicThresholdPercent: 3 });
});

t.test('of several the first that is known is taken', async (t) => {
  t.match(decode(typed(ringHash, random, roundRobin)).value, { policy: { kind: 'random' } });
});

t.test('slow start is that of the policy, in both forms', async (t) => {
  const written = 'slow_start_config: {slow_start_window: 60s, aggression: {default_value: 2, runtime_key: k}}';
  const slowStart = { windowMs: 60_000, aggression: 2, minWeightPercent: 10 };
  for (const fields of [typed(`${roundRobin}, ${written}`), `round_robin_lb_config: {${written}}`]) {
    const { value, problems } = decode(fields);
    t.same(problems, []);
    t.same(value?.policy, { kind: 'round-robin', slowStart }, fields);
  }
  for (const fields of [
    typed(`${leastRequest}, ${written}`),
    `lb_policy: LEAST_REQUEST, least_request_lb_config: {${written}}`,
  ]) {
    t.same(decode(fields).value?.policy, { kind: 'least-request', choiceCount: 2, activeRequestBias: 1, slowStart });
  }
  t.same(
    decode(`lb_policy: LEAST_REQUEST, round_robin_lb_config: {${written}}`).value?.policy,
    { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 },
    'settings of another policy are not its own',
  );
});

t.test('slow start has the defaults of Envoy, and is off without a window', async (t) => {
  const read = (fields: string) => decode(`round_robin_lb_config: {slow_start_config: {${fields}}}`).value?.policy;
  const of = (aggression: number, minWeightPercent: number) => ({
    kind: 'round-robin',
    slowStart: { windowMs: 1500, aggression, minWeightPercent },
  });
  t.same(read('slow_start_window: 1.5s'), of(1, 10));
  t.same(read('slow_start_window: 1.5s, min_weight_percent: {value: 35}'), of(1, 35));
  t.same(read('slow_start_window: 1.5s, min_weight_percent: {}'), of(1, 0));
  for (const wrong of [
    '{runtime_key: k}',
    '{runtime_key: k, default_value: -3}',
    '{runtime_key: k, default_value: NaN}',
  ]) {
    t.same(read(`slow_start_window: 1.5s, aggression: ${wrong}`), of(1, 10), wrong);
  }
  t.same(read(''), { kind: 'round-robin' });
  t.same(read('slow_start_window: 0s, aggression: {runtime_key: k, default_value: 2}'), { kind: 'round-robin' });
  t.match(
    decode('round_robin_lb_config: {slow_start_config: {min_weight_percent: {value: 101}}}').problems.join('\n'),
    /min_weight_percent\.value: /,
  );
});

t.test('problems', async (t) => {
  const none = decode(typed(ringHash, 'nobody.v1.Nothing'));
  t.equal(none.value, undefined);
  t.match(none.problems.join('\n'), /policies\[0\].*RingHash is not supported/);
  t.match(none.problems.join('\n'), /policies\[1\].*Nothing/);
  t.match(decode('load_balancing_policy: {}').problems.join('\n'), /policies: at least one policy is required/);
  t.match(
    decode('lb_policy: LOAD_BALANCING_POLICY_CONFIG').problems.join('\n'),
    /load_balancing_policy is required with lb_policy/,
  );
  t.match(
    decode(`common_lb_config: {locality_weighted_lb_config: {}}, ${typed(roundRobin)}`).problems.join('\n'),
    /common_lb_config.locality_weighted_lb_config: belongs into the policy/,
  );
  for (const fields of [
    typed(provided),
    `type: ORIGINAL_DST, ${typed(provided)}`,
    `type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, ${typed(roundRobin)}`,
  ]) {
    t.match(decode(fields).problems.join('\n'), /ORIGINAL_DST needs/, fields);
  }
  t.match(
    decode(typed(`${leastRequest}, selection_method: FULL_SCAN`)).problems.join('\n'),
    /selection_method.* is not supported/,
  );
});
