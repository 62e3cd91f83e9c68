import t from 'tap';
import type { Balancer, ChooseContext } from '../../../proxy/cluster/balancer.ts';
import { EndpointRuntime, type ResolvedEndpoint } from '../../../proxy/cluster/endpoint-runtime.ts';
import { PercentSplit, WeightedSplit } from '../../../proxy/cluster/traffic-split.ts';
import { makeContext, makeEndpoint, makeOwner, seededRandom } from '../../support/cluster-fixtures.ts';

const owner = makeOwner();
const locality = { region: '', zone: '', subZone: '' };

/** A balancer that always chooses the endpoint of this name. */
function only(key: string): Balancer {
  const endpoint = new EndpointRuntime(key, makeEndpoint('10.0.0.1') as ResolvedEndpoint, {
    place: { locality, priority: 0 },
    owner,
  });
  return { choose: () => endpoint };
}

const choose = (split: Balancer, context: ChooseContext = makeContext()) => split.choose(context)?.key;

t.test('percents are bounds of the drawn number', (t) => {
  const split = new PercentSplit([only('a'), only('b'), only('c')], [70, 29, 1]);
  const at = (drawn: number) => choose(split, makeContext({ random: () => drawn }));
  t.same([0, 0.5, 0.69999, 0.7, 0.98999, 0.99, 0.999999].map(at), ['a', 'a', 'a', 'b', 'b', 'c', 'c']);
  t.end();
});

t.test('a branch without a choice gives none', (t) => {
  const split = new PercentSplit([{ choose: () => null }, only('b')], [50, 50]);
  t.equal(choose(split, makeContext({ random: () => 0.1 })), undefined);
  t.end();
});

t.test('weights are served exactly, from a random turn on', (t) => {
  const firsts = new Set<string | undefined>();
  for (let seed = 0; seed < 20; seed++) {
    const split = new WeightedSplit([only('a'), only('b')], [3, 1], seededRandom(seed));
    const chosen = Array.from({ length: 400 }, () => choose(split));
    firsts.add(chosen.join('').slice(0, 4));
    const count = chosen.filter((key) => key === 'a').length;
    t.ok(Math.abs(count - 300) <= 1, `${count}`);
  }
  t.equal(firsts.size, 2);
  t.end();
});
