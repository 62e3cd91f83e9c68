import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { LocalStatement } from '../../control-plane/local-statement.ts';
import {
  ResourceUnion,
  type SourceStatement,
  type StatedResource,
  type UnitedStatements,
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

function unite(statements: readonly SourceStatement[]): UnitedStatements {
  return new ResourceUnion().unite(statements);
}

/** Another control plane that states what it has of the given ones. */
function relay(...statements: readonly SourceStatement[]): SourceStatement {
  const united = unite(statements);
  return {
    types: new Map(
      Object.values(typeUrls).map((typeUrl) => {
        const ofType = united.resources.filter(({ type }) => type.typeUrl === typeUrl);
        const seen = united.seen(typeUrl);
        const byName = new Map(ofType.map((resource) => [resource.name, resource]));
        const hops = united.hops(typeUrl);
        return [typeUrl, { seen, hops, byName, awaits: () => false, revision: 0 }];
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
  const united = unite(statements).resources;
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
  t.same(servedOf(first, second), { shop: [2, 20] }, 'of each origin what the side that heard of it has');
  const rejoined = relay(east({ shop: [2] }), west({ shop: [20] }));
  t.same(servedOf(first, second, rejoined), { shop: [2, 20] }, 'as who has seen both');
});

t.test('two who relay each other do not keep alive what its origin removed', async (t) => {
  const east = makeOrigin('east');
  const stated = east({ shop: [1] });
  const echo = relay(stated);
  t.same(servedOf(east({}), echo), {});
});

t.test('what is only known from each other goes round and round, until it is too far away', async (t) => {
  const [west, north] = [makeOrigin('west')({ shop: [2] }), makeOrigin('north')({})];
  const east = makeOrigin('east')({ shop: [9], cart: [3] });
  let [first, second] = [relay(west, east), relay(north, east)];
  const told = (statement: SourceStatement) => statement.types.get(typeUrls['eds']!)!;
  t.same(
    [...told(first).hops],
    [
      ['west', 1],
      ['east', 1],
    ],
  );
  for (let step = 2; step <= 15; step++) {
    [first, second] = [relay(west, second), relay(north, first)];
    t.same([told(first).hops.get('west'), told(first).hops.get('east')], [1, step]);
    t.same(servedOf(west, second), { cart: [3], shop: [2, 9] });
  }
  [first, second] = [relay(west, second), relay(north, first)];
  t.same([...told(first).hops.keys()], ['west'], 'it is not told on');
  [first, second] = [relay(west, second), relay(north, first)];
  t.same([servedOf(west, second), servedOf(north, first)], [{ shop: [2] }, { shop: [2] }]);
  const [assignment] = [...told(first).byName.values()];
  t.same(
    [[...portsOf(assignment!)], [...assignment!.changes.keys()]],
    [[2], ['west']],
    'it is taken out of what was merged',
  );
  t.same([[...told(first).hops], [...told(first).seen.keys()]], [[['west', 1]], ['west']]);
});

t.test('what we state ourselves is not over because somebody who has seen it did not ask for it', async (t) => {
  const own = makeOrigin('own')({ shop: [1] });
  const types = new Map([...relay(own).types].map(([url, type]) => [url, { ...type, byName: new Map() }]));
  t.same(servedOf(own, { types }), { shop: [1] });
});

t.test(
  'an origin is as near as its shortest way, and one that nobody tells the way to cannot be reached',
  async (t) => {
    const east = makeOrigin('east')({ shop: [1] });
    const [near, far] = [relay(east), relay(relay(relay(east)))];
    const hops = (...statements: readonly SourceStatement[]) => [...unite(statements).hops(typeUrls['cds']!)];
    t.same([hops(far, near), hops(near, far), hops(far)], [[['east', 2]], [['east', 2]], [['east', 4]]]);
    const lost: SourceStatement = {
      types: new Map([...near.types].map(([typeUrl, type]) => [typeUrl, { ...type, hops: new Map() }])),
    };
    const west = makeOrigin('west')({ cart: [2] });
    t.same(servedOf(west, lost), { cart: [2] });
    t.same(servedOf(lost, west, far), { cart: [2], shop: [1] });
  },
);

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
  const united = unite([first, second]).resources.find(({ type }) => type.shortName === 'rds')!;
  t.same(united.references.clusters, ['x']);
  t.same([...united.changes.keys()], ['a', 'b'], 'by the changes of both');
});

t.test(
  'two who follow each other have the same members, each its own first, and what either removes goes',
  async (t) => {
    const [east, west] = [makeOrigin('east'), makeOrigin('west')];
    let [ofEast, ofWest] = [east({ shop: [1] }), west({ shop: [2] })];
    let [first, second] = [relay(ofEast), relay(ofWest)];
    // Each hears what the other said in the same moment: what either does about it crosses what the other does.
    const exchange = (times: number) => {
      for (let left = times; left > 0; left--) [first, second] = [relay(ofEast, second), relay(ofWest, first)];
    };
    const members = () =>
      [first, second].map(({ types }) => {
        const stated = types.get(typeUrls['eds']!)!.byName.get('shop');
        return stated && portsOf(stated);
      });
    exchange(2);
    t.same(members(), [
      [1, 2],
      [2, 1],
    ]);
    exchange(1);
    t.same(
      members(),
      [
        [1, 2],
        [2, 1],
      ],
      'and it stays so',
    );
    ofWest = west({ shop: [3] });
    exchange(2);
    t.same(
      members(),
      [
        [1, 3],
        [3, 1],
      ],
      'an endpoint that is gone does not go round and round',
    );
    ofEast = east({});
    exchange(2);
    t.same(members(), [[3], [3]]);
    ofWest = west({});
    exchange(2);
    t.same(members(), [undefined, undefined]);
  },
);

t.test('three in a ring agree, too', async (t) => {
  const origins = ['a', 'b', 'c'].map(makeOrigin);
  const own = origins.map((state, index) => state({ shop: [index + 1] }));
  let served = own.map((each) => relay(each));
  const exchange = () => {
    for (let round = 0; round < 4; round++) served = own.map((each, index) => relay(each, served[(index + 1) % 3]!));
  };
  exchange();
  t.same(
    served.map((each) => servedOf(each)),
    new Array(3).fill({ shop: [1, 2, 3] }),
  );
  own[1] = origins[1]!({ shop: [9] });
  exchange();
  t.same(
    served.map((each) => servedOf(each)),
    new Array(3).fill({ shop: [1, 3, 9] }),
  );
  own[0] = origins[0]!({});
  exchange();
  t.same(
    served.map((each) => servedOf(each)),
    new Array(3).fill({ shop: [3, 9] }),
  );
});

t.test(
  'own definitions that cannot be merged stay in the place of those of others, who merged them with theirs',
  async (t) => {
    const route = (to: string) => `service: g\nlisten: 127.0.0.1:1\nroutes: [{to: ${to}}]\n`;
    const [own, other] = [
      new LocalStatement('a').update('', resourcesOfText(route('x'))),
      new LocalStatement('b').update('', resourcesOfText(route('y'))),
    ];
    const routed = (...statements: readonly SourceStatement[]) =>
      unite(statements).resources.find(({ type }) => type.shortName === 'rds')!.references.clusters;
    t.same(routed(own, relay(other, own)), ['x']);
    t.same(routed(other, relay(own, other)), ['y']);
  },
);

t.test(
  'of a definition that was taken in the place of another, the other is known from who has it alone',
  async (t) => {
    const route = (to: string) => `service: g\nlisten: 127.0.0.1:1\nroutes: [{to: ${to}}]\n`;
    const first = new LocalStatement('a');
    const second = new LocalStatement('b').update('', resourcesOfText(route('y')));
    const behind = relay(first.update('', resourcesOfText(route('x'))), second);
    const served = unite([behind, relay(first.update('', []), second)]).resources;
    t.same(served.find(({ type }) => type.shortName === 'rds')!.references.clusters, ['y']);
  },
);

t.test('what is stated again is united again only when it is another, or other origins can be reached', async (t) => {
  const east = new LocalStatement('east');
  const own = east.update('', resourcesOfText(textOf({ shop: [1] })));
  const { types } = relay(makeOrigin('west')({ shop: [2] }));
  const behind = (changes: { readonly revision?: number; readonly west?: number }): SourceStatement => {
    const { revision = 0, west = 1 } = changes;
    const hops = new Map([['west', west]]);
    return { types: new Map([...types].map(([url, type]) => [url, { ...type, revision, hops }])) };
  };
  const union = new ResourceUnion();
  const assignment = (...statements: readonly SourceStatement[]) =>
    union.unite(statements).resources.find(({ type }) => type.shortName === 'eds')!;
  const first = assignment(own, behind({}));
  t.same(portsOf(first), [1, 2]);
  t.equal(assignment(east.update('', resourcesOfText(textOf({ shop: [1] }))), behind({ west: 15 })), first);
  t.not(assignment(own, behind({ revision: 1 })), first);
  t.same(portsOf(assignment(own, behind({ revision: 1, west: 16 }))), [1]);
  const moved = east.update('', resourcesOfText(textOf({ shop: [1] }), 'other.yaml'));
  t.match(assignment(moved, behind({ revision: 1, west: 16 })), { place: 'other.yaml:1' });
});

/** As of one who asked for clusters, and of endpoints for these names alone. */
function asking(statement: SourceStatement, ...names: readonly string[]): SourceStatement {
  const by = statement.types.get(typeUrls['cds']!)!;
  const eds = statement.types.get(typeUrls['eds']!)!;
  const byName = new Map([...eds.byName].filter(([name]) => names.includes(name)));
  const needing = (name: string) => [...by.byName.values()].filter(({ references }) => references.assignment === name);
  const asked = { has: (name: string) => names.includes(name), needing, by };
  return { types: new Map([...statement.types, [typeUrls['eds']!, { ...eds, byName, asked }]]) };
}

t.test('who has seen all and was not asked for a name says nothing of it, unless what needs it is over', async (t) => {
  const east = new LocalStatement('east');
  const named = resourcesOfText(textOf({ late: [7] }));
  const unnamed = named.filter(({ type }) => type.shortName !== 'cds');
  const before = relay(east.update('', unnamed));
  const known = relay(east.update('', named));
  const without = (statement: SourceStatement): SourceStatement => {
    const eds = statement.types.get(typeUrls['eds']!)!;
    return { types: new Map([...statement.types, [typeUrls['eds']!, { ...eds, byName: new Map() }]]) };
  };
  const isServed = (...others: readonly SourceStatement[]) =>
    unite([asking(known, 'late'), ...others]).resources.some(({ type }) => type.shortName === 'eds');
  t.ok(isServed(asking(before)), 'it does not know yet that anything needs it');
  t.ok(isServed(asking(without(before), 'late')), 'asked because of something else');
  t.ok(isServed(asking(known)), 'it knows, and is not asked yet');
  t.notOk(isServed(asking(without(known), 'late')), 'it was asked, and there is none');
  t.notOk(isServed(asking(relay(east.update('', unnamed)))), 'what needs it is over');
  const clusters = relay(makeOrigin('west')({ late: [8] })).types.get(typeUrls['cds']!)!;
  const needed = asking({ types: new Map([...known.types, [typeUrls['cds']!, clusters]]) }, 'late');
  const assignments = unite([needed, asking(before)]).resources.filter(({ type }) => type.shortName === 'eds');
  t.same(assignments, [], 'what needs it is of somebody else');
});

t.test('a source that still waits for a name does not say that it is gone', async (t) => {
  const origin = makeOrigin('east');
  const stated = relay(origin({ shop: [1] }));
  const { types } = relay(origin({}));
  const waiting = (isAwaited: boolean): SourceStatement => ({
    types: new Map(
      [...types].map(([url, type]) => [url, { ...type, awaits: (name: string) => isAwaited && name === 'shop' }]),
    ),
  });
  t.same(servedOf(stated, waiting(true)), { shop: [1] });
  t.same(servedOf(stated, waiting(false)), {});
});

t.test('states are merged in any order and grouping, and as often as one likes', async (t) => {
  const services = fc.dictionary(
    fc.constantFrom('shop', 'cart'),
    fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
  );
  const histories = fc.array(fc.array(services, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 3 });
  const heard = fc.array(fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }), { minLength: 3, maxLength: 3 });
  const law = fc.property(histories, heard, (states, moments) => {
    const told = states.map((history, index) => {
      const origin = makeOrigin(`origin ${index}`);
      return history.map((state) => origin(state));
    });
    // Three who heard of each origin up to some moment.
    const [a, b, c] = moments.map((moment) =>
      relay(...told.map((history, index) => history[Math.min(moment[index]!, history.length - 1)]!)),
    ) as [SourceStatement, SourceStatement, SourceStatement];
    const merged = textOfServed(relay(a, b, c));
    return [
      relay(c, b, a),
      relay(b, a, c),
      relay(relay(a, b), c),
      relay(a, relay(b, c)),
      relay(relay(b, c), relay(c, a)),
      relay(a, a, b, relay(c, c), b),
    ].every((each) => textOfServed(each) === merged);
  });
  const result = fc.check(law, { numRuns: 100 });
  t.equal(result.failed, false, JSON.stringify(result.counterexample));
});

function textOfServed(...statements: readonly SourceStatement[]): string {
  return JSON.stringify(sorted(servedOf(...statements)));
}

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
