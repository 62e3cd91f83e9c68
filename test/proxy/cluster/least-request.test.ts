import t from 'tap';
import type { Endpoint } from '../../../config/endpoint.ts';
import type { Balancer } from '../../../proxy/cluster/balancer.ts';
import { EndpointRuntime, type ResolvedEndpoint } from '../../../proxy/cluster/endpoint-runtime.ts';
import { buildLeastRequest, type LeastRequestOptions } from '../../../proxy/cluster/least-request.ts';
import { makeContext, makeEndpoint, makeOwner, seededRandom } from '../../support/cluster-fixtures.ts';

const addresses = (n: number) => Array.from({ length: n }, (_, i) => makeEndpoint(`10.0.0.${i + 1}`));

function make(configs: readonly Endpoint[], given: Partial<LeastRequestOptions> = {}) {
  const place = { locality: { region: '', zone: '', subZone: '' }, priority: 0 };
  const owner = makeOwner();
  const endpoints = configs.map((config, i) => {
    return new EndpointRuntime(`10.0.0.${i + 1}:80`, config as ResolvedEndpoint, { place, owner });
  });
  const balancer = buildLeastRequest(endpoints, {
    choiceCount: 2,
    activeRequestBias: 1,
    random: seededRandom(7),
    ...given,
  });
  return { balancer, endpoints };
}

/** How often each endpoint was chosen, by key. */
function count(balancer: Balancer, choices: number): Map<string, number> {
  const context = makeContext();
  const counts = new Map<string, number>();
  for (let choice = 0; choice < choices; choice++) {
    const { key } = balancer.choose(context)!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

t.test('least request prefers the endpoint with fewer requests in flight', (t) => {
  const { balancer, endpoints } = make(addresses(2));
  endpoints[0]!.activeRequests = 10;
  const counts = count(balancer, 4000);
  // The busy one is taken only when both draws fall on it.
  t.ok(Math.abs(counts.get('10.0.0.1:80')! / 4000 - 0.25) < 0.03, `${counts.get('10.0.0.1:80')}`);
  t.end();
});

t.test('least request evens out requests that never end', (t) => {
  const { balancer, endpoints } = make(addresses(10));
  const context = makeContext();
  for (let i = 0; i < 1000; i++) balancer.choose(context)!.activeRequests++;
  const active = endpoints.map((endpoint) => endpoint.activeRequests);
  t.ok(Math.max(...active) - Math.min(...active) < 12, `${active}`);
  t.end();
});

t.test('weighted least request divides a weight by the requests in flight', (t) => {
  const uneven = [makeEndpoint('10.0.0.1', { weight: 3 }), makeEndpoint('10.0.0.2', { weight: 1 })];
  const share = (bias: number, active: number) => {
    const { balancer, endpoints } = make(uneven, { activeRequestBias: bias });
    endpoints[0]!.activeRequests = active;
    return count(balancer, 4000).get('10.0.0.1:80')! / 4000;
  };
  t.ok(Math.abs(share(1, 0) - 3 / 4) < 0.01);
  t.ok(Math.abs(share(1, 2) - 1 / 2) < 0.01, 'a bias of 1 divides by 3');
  t.ok(Math.abs(share(0, 50) - 3 / 4) < 0.01, 'a bias of 0 ignores them');
  t.ok(Math.abs(share(2, 2) - 1 / 4) < 0.01, 'a bias of 2 divides by 9');
  t.end();
});
