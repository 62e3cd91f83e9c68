import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { LocalStatement } from '../../control-plane/local-statement.ts';
import {
  type SourceStatement,
  type StatedResource,
  seenByAll,
  uniteResources,
} from '../../control-plane/resource-union.ts';
import { decodeMessage } from '../../xds/message/wire-message.ts';
import { resourcesOfText, typeUrls } from '../support/control-plane-fixtures.ts';

/** A control plane with services by name and the ports of their endpoints. */
type Services = { readonly [name: string]: readonly number[] };

function textOf(services: Services): string {
  const documents = Object.entries(services).map(([name, ports]) => {
    return `service: ${name}\nendpoints: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]\n`;
  });
  return documents.length === 0 ? '# none\n' : documents.join('---\n');
}

function makeOrigin(name: string) {
  const local = new LocalStatement(name);
  return (services: Services) => local.update('', resourcesOfText(textOf(services), name));
}

/** Another control plane that states what it has of the given ones. */
function relay(...statements: readonly SourceStatement[]): SourceStatement {
  const united = uniteResources(statements);
  return {
    types: new Map(
      Object.values(typeUrls).map((typeUrl) => {
        const ofType = united.filter(({ type }) => type.typeUrl === typeUrl);
        const seen = seenByAll(statements, typeUrl);
        const byName = new Map(ofType.map((resource) => [resource.name, resource]));
        return [typeUrl, { seen, byName, awaits: () => false }];
      }),
    ),
  };
}

function portsOf({ message }: StatedResource): readonly number[] {
  const { endpoints = [] } = decodeMessage(
    message,
    'envoy.config.endpoint.v3.ClusterLoadAssignment',
    new Problems(),
  ) as {
    endpoints?: { lbEndpoints: { endpoint: { address: { socketAddress: { portValue: number } } } }[] }[];
  };
  return endpoints.flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ endpoint }) => endpoint.address.socketAddress.portValue),
  );
}

/** What is served of the statements: ports by cluster. */
function servedOf(...statements: readonly SourceStatement[]): Services {
  const united = uniteResources(statements);
  const clusters = united.filter(({ type }) => type.shortName === 'cds');
  return Object.fromEntries(
    clusters.map(({ name }) => {
      const assignment = united.find((resource) => resource.type.shortName === 'eds' && resource.name === name)!;
      return [name, [...portsOf(assignment)].sort((a, b) => a - b)];
    }),
  );
}

t.test('two sources are served together, and one cluster of both has the endpoints of both', async (t) => {
  const east = makeOrigin('east')({ shop: [1, 2], cart: [3] });
  const west = makeOrigin('west')({ shop: [2, 4], mail: [5] });
  t.same(servedOf(east, west), { shop: [1, 2, 4], cart: [3], mail: [5] });
});

t.test("a source's newer state takes the place of its older one, whoever brings it", async (t) => {
  const origin = makeOrigin('east');
  const older = relay(origin({ shop: [1], cart: [2] }));
  const newer = origin({ shop: [3], cart: [2] });
  t.same(servedOf(older, newer), { shop: [3], cart: [2] });
  t.same(servedOf(relay(newer), older), { shop: [3], cart: [2] }, 'in any order');
});

t.test('what a source removed does not come back by one who has not heard of it', async (t) => {
  const origin = makeOrigin('east');
  const before = relay(origin({ shop: [1], cart: [2] }));
  const after = origin({ cart: [2] });
  t.same(servedOf(before, after), { cart: [2] });
  t.same(servedOf(after, before), { cart: [2] });
});

t.test('what a source added is not taken for removed by one who has not heard of it', async (t) => {
  const origin = makeOrigin('east');
  const before = relay(origin({ shop: [1] }));
  t.same(servedOf(before, origin({ shop: [1], cart: [2] })), { shop: [1], cart: [2] });
});

t.test('a partition: each side changes, and both changes are served when it is over', async (t) => {
  const east = makeOrigin('east');
  const west = makeOrigin('west');
  const westBefore = west({ shop: [10] });
  const eastBefore = east({ shop: [1] });
  // Two control planes that follow both; the first has lost west, the second east.
  const first = relay(east({ shop: [2] }), westBefore);
  const second = relay(eastBefore, west({ shop: [20] }));
  t.same(servedOf(first, second), { shop: [1, 2, 10, 20] }, 'concurrent: nobody knows better');
  const rejoined = relay(east({ shop: [2] }), west({ shop: [20] }));
  t.same(servedOf(first, second, rejoined), { shop: [2, 20] }, 'who has seen both decides');
});

t.test('two who relay each other do not keep alive what its origin removed', async (t) => {
  const east = makeOrigin('east');
  const stated = east({ shop: [1] });
  const echo = relay(stated);
  t.same(servedOf(east({}), echo), {});
});

t.test('a change that led back to the same content is a change', async (t) => {
  const east = makeOrigin('east');
  east({ shop: [1] });
  const between = relay(east({ shop: [2] }));
  t.same(servedOf(between, east({ shop: [1] })), { shop: [1] });
});

t.test('of definitions that cannot be merged the first is taken', async (t) => {
  const route = (to: string) => `service: g\nlisten: 127.0.0.1:1\nroutes: [{to: ${to}}]\n`;
  const first = new LocalStatement('a').update('', resourcesOfText(route('x')));
  const second = new LocalStatement('b').update('', resourcesOfText(route('y')));
  const united = uniteResources([first, second]).find(({ type }) => type.shortName === 'rds')!;
  t.same(united.references.clusters, ['x']);
  t.same([...united.changes.keys()], ['a', 'b'], 'by the changes of both');
});

t.test('whatever the order of changes and relays, all who heard everything serve the same', async (t) => {
  const services = fc.dictionary(
    fc.constantFrom('shop', 'cart'),
    fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
  );
  const steps = fc.array(fc.tuple(fc.nat(1), services), { minLength: 1, maxLength: 8 });
  const law = fc.property(steps, fc.infiniteStream(fc.boolean()), (changes, heard) => {
    const origins = [makeOrigin('east'), makeOrigin('west')];
    const last = [origins[0]!({}), origins[1]!({})];
    let behind = relay(...last);
    for (const [index, state] of changes) {
      last[index] = origins[index]!(state);
      // A relay that hears of some changes, and of itself as it was.
      if (heard.next().value) behind = relay(last[0]!, behind);
      if (heard.next().value) behind = relay(behind, last[1]!);
    }
    const truth = JSON.stringify(sorted(servedOf(...last)));
    return (
      JSON.stringify(sorted(servedOf(...last, behind))) === truth &&
      JSON.stringify(sorted(servedOf(behind, ...last))) === truth &&
      JSON.stringify(sorted(servedOf(relay(...last), behind))) === truth
    );
  });
  const result = fc.check(law, { numRuns: 200 });
  t.equal(result.failed, false, JSON.stringify(result.counterexample));
});

function sorted(services: Services): Services {
  return Object.fromEntries(Object.entries(services).sort(([a], [b]) => (a < b ? -1 : 1)));
}
