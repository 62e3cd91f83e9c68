import t from 'tap';
import { DeltaSession } from '../../control-plane/delta-session.ts';
import { LocalStatement } from '../../control-plane/local-statement.ts';
import { ResourceUnion } from '../../control-plane/resource-union.ts';
import { makeSnapshot, type ServedSnapshot } from '../../control-plane/served-snapshot.ts';
import { vectorFeature } from '../../control-plane/stated-version.ts';
import { type DiscoveryRequest, encodeRequest, readDeltaResponse } from '../../xds/client/discovery-wire.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import { resourcesOfText, serviceText, snapshotOfText, typeUrls } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

type Delta = Extract<DiscoveryRequest, { readonly kind: 'delta' }>;

/** A client that says what a test wants, and reads what it gets. */
function clientOf(first: ServedSnapshot, typeUrl?: string) {
  const session = new DeltaSession({ typeUrl, clock: () => 1 });
  let snapshot = first;
  return {
    session,
    publish(next: ServedSnapshot) {
      snapshot = next;
    },
    ask(shortName: string, parts: Partial<Delta> = {}) {
      const typeUrl = shortName === '' ? '' : (typeUrls[shortName] ?? shortName);
      const request = {
        kind: 'delta',
        typeUrl,
        subscribe: [],
        unsubscribe: [],
        initialVersions: [],
        nonce: '',
      } as const;
      return session.onRequest(encodeRequest({ ...request, ...parts }, undefined));
    },
    next() {
      const bytes = session.next(snapshot);
      if (bytes === undefined) return undefined;
      const result = readDeltaResponse(bytes);
      if (result.kind !== 'response') throw new Error(result.reason);
      const { typeUrl, nonce, version, resources, removed } = result.response;
      const type = Object.entries(typeUrls).find(([, url]) => url === typeUrl)?.[0] ?? typeUrl;
      return { type, nonce, version, names: resources.map(({ name }) => name), removed, resources };
    },
    /** Types and names of all that is due. */
    drain() {
      const lines: string[] = [];
      for (let response = this.next(); response !== undefined; response = this.next()) {
        lines.push(`${response.type} ${response.names.join(' ')} -${response.removed.join(' ')}`);
      }
      return lines;
    },
  };
}

const shops = snapshotOfText(`${serviceText('a')}---\n${serviceText('b')}`);
const gateway = 'service: g\nlisten: 127.0.0.1:1\nendpoints: [127.0.0.1:2]\n';

t.test('everything is sent once, in the order in which one resource needs the other', async (t) => {
  const client = clientOf(snapshotOfText(gateway));
  client.ask('rds', { subscribe: ['g'] });
  client.ask('lds');
  client.ask('eds', { subscribe: ['g'] });
  client.ask('cds');
  t.same(client.drain(), ['cds g -', 'eds g -', 'lds g -', 'rds g -']);
  t.same(client.drain(), []);
});

t.test('only what changed is sent', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { subscribe: ['a', 'b'] });
  t.same(client.drain(), ['eds a b -']);
  client.publish(snapshotOfText(`${serviceText('a')}---\n${serviceText('b', 9)}`, shops));
  t.same(client.drain(), ['eds b -']);
  client.publish(snapshotOfText(serviceText('a')));
  t.same(client.drain(), ['eds  -b']);
});

t.test('a type that did not change is not looked at again', async (t) => {
  const next = makeSnapshot(resourcesOfText(`${serviceText('a', 9)}---\n${serviceText('b')}`), { previous: shops });
  t.equal(next.types.get(typeUrls['cds']!), shops.types.get(typeUrls['cds']!));
  t.not(next.types.get(typeUrls['eds']!), shops.types.get(typeUrls['eds']!));
});

t.test('the wildcard is an empty first request, or a star', async (t) => {
  const legacy = clientOf(shops);
  legacy.ask('cds');
  t.same(legacy.drain(), ['cds a b -']);
  legacy.ask('cds');
  t.same(legacy.drain(), [], 'an empty request later says nothing');
  const explicit = clientOf(shops);
  explicit.ask('cds', { subscribe: ['*'] });
  t.same(explicit.drain(), ['cds a b -']);
  const all = clientOf(shops);
  all.ask('eds', { subscribe: ['*'] });
  t.same(all.drain(), ['eds a b -'], 'of every type');
});

t.test('a wildcard that matches nothing is answered, once', async (t) => {
  const client = clientOf(shops);
  client.ask('lds');
  t.same(client.drain(), ['lds  -']);
  t.same(client.drain(), []);
});

t.test('a name that is not there is answered as removed, and sent when it comes', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { subscribe: ['c'] });
  t.same(client.drain(), ['eds  -c']);
  client.publish(snapshotOfText(serviceText('c')));
  t.same(client.drain(), ['eds c -']);
});

t.test('a client that comes back is sent what differs from what it has', async (t) => {
  const versions = [...shops.types.get(typeUrls['cds']!)!.byName.values()].map(
    ({ name, version }) => [name, version] as const,
  );
  const same = clientOf(shops);
  same.ask('cds', { subscribe: ['*'], initialVersions: versions });
  t.same(same.drain(), ['cds  -'], 'the wildcard is answered all the same');
  const behind = clientOf(shops);
  behind.ask('cds', { initialVersions: [versions[0]!, ['b', 'older'], ['gone', 'x']], subscribe: ['*'] });
  t.same(behind.drain(), ['cds b -gone']);
  const named = clientOf(shops);
  named.ask('cds', { subscribe: ['a', 'b'], initialVersions: versions });
  t.same(named.drain(), [], 'by name it has all');
});

t.test('a subscription that was let go and taken again is answered again', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { subscribe: ['a', 'b'] });
  client.drain();
  client.ask('eds', { unsubscribe: ['a'] });
  t.same(client.drain(), [], 'letting go has no answer');
  client.publish(snapshotOfText(serviceText('b')));
  t.same(client.drain(), [], 'what was let go is not told about');
  client.publish(shops);
  client.ask('eds', { subscribe: ['a'] });
  t.same(client.drain(), ['eds a -']);
  client.ask('eds', { subscribe: ['b'] });
  t.same(client.drain(), ['eds b -'], 'also when it was subscribed all the time');
});

t.test('a name that only the star covers any more is sent again', async (t) => {
  const client = clientOf(shops);
  client.ask('cds', { subscribe: ['*', 'a', 'x'] });
  t.same(client.drain(), ['cds a b -x']);
  client.ask('cds', { unsubscribe: ['a', 'x'] });
  t.same(client.drain(), ['cds a -x']);
});

t.test('without the star the names stay', async (t) => {
  const client = clientOf(shops);
  client.ask('cds', { subscribe: ['*', 'a'] });
  client.drain();
  client.ask('cds', { unsubscribe: ['*'] });
  client.publish(snapshotOfText(serviceText('c')));
  t.same(client.drain(), ['cds  -a']);
  client.ask('cds', { unsubscribe: ['a'] });
  client.publish(shops);
  t.same(client.drain(), [], 'no name at all is not everything');
});

t.test('a subscription to nothing yet is none', async (t) => {
  const client = clientOf(shops);
  client.ask('cds', { subscribe: ['*'], unsubscribe: ['*'] });
  t.same(client.drain(), []);
  client.ask('cds', { subscribe: ['a'] });
  t.same(client.drain(), ['cds a -']);
});

t.test('the assignment of a changed cluster is sent again, because Envoy waits for it', async (t) => {
  const client = clientOf(shops);
  client.ask('cds');
  client.ask('eds', { subscribe: ['a', 'b'] });
  client.drain();
  const changed = resourcesOfText(`${serviceText('a')}---\n${serviceText('b')}`).map((resource) =>
    resource.type.shortName === 'cds' && resource.name === 'a' ? { ...resource, version: 'new' } : resource,
  );
  client.publish(makeSnapshot(changed, { previous: shops }));
  t.same(client.drain(), ['cds a -', 'eds a -']);
});

t.test('answers are known by their nonce, and a refusal changes nothing that is sent', async (t) => {
  const client = clientOf(shops);
  client.ask('cds');
  const response = client.next()!;
  t.same(client.ask('cds', { nonce: response.nonce }), { kind: 'taken', node: undefined, refusal: undefined });
  t.match(
    client.session.status(),
    onlyItems({ lastAck: { version: response.version, atMs: 1 }, sentVersion: response.version }),
  );
  client.publish(snapshotOfText(serviceText('c')));
  const second = client.next()!;
  t.same(client.ask('cds', { nonce: second.nonce, refusal: 'no' }), {
    kind: 'taken',
    node: undefined,
    refusal: { typeUrl: typeUrls['cds'], version: second.version, text: 'no' },
  });
  t.match(
    client.session.status(),
    onlyItems({ lastAck: { version: response.version }, lastNack: { version: second.version, text: 'no' } }),
  );
  t.same(client.drain(), []);
  client.ask('cds', { nonce: 'never sent' });
  t.match(client.session.status(), onlyItems({ lastAck: { version: response.version } }));
});

t.test('a change of subscription in an answer counts, also of one to an older response', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { subscribe: ['a'] });
  const { nonce } = client.next()!;
  client.publish(snapshotOfText(`${serviceText('a', 5)}---\n${serviceText('b')}`));
  client.drain();
  client.ask('eds', { nonce, subscribe: ['b'] });
  t.same(client.drain(), ['eds b -']);
});

t.test('a stream of one type needs no type URL; the aggregated one does', async (t) => {
  const client = clientOf(shops, typeUrls['cds']);
  t.match(client.ask(''), { kind: 'taken' });
  t.same(client.drain(), ['cds a b -']);
  t.match(clientOf(shops).ask(''), { kind: 'failed', code: 'INVALID_ARGUMENT' });
});

t.test(
  'another control plane is told the changes in each state, and of changes back to the same content',
  async (t) => {
    const local = new LocalStatement('east');
    const snapshotAfter = (port: number, previous?: ServedSnapshot) => {
      const statement = local.update('', resourcesOfText(serviceText('a', port)));
      const { resources, seen } = new ResourceUnion().unite([statement]);
      return makeSnapshot(resources, { previous, seen });
    };
    const client = clientOf(snapshotAfter(1));
    const node = encodeMessage({ id: 'n', clientFeatures: [vectorFeature] }, 'envoy.config.core.v3.Node');
    const request = { kind: 'delta', subscribe: ['a'], unsubscribe: [], initialVersions: [], nonce: '' } as const;
    client.session.onRequest(encodeRequest({ ...request, typeUrl: typeUrls['eds']! }, node));
    const first = client.next()!;
    t.matchOnly([first.version, first.resources[0]!.version], [/^[\w-]{12};east=2$/, /^[\w-]{12};east=2$/]);
    const between = snapshotAfter(2);
    client.publish(snapshotAfter(1, between));
    const second = client.next()!;
    t.same(second.resources[0]!.message, first.resources[0]!.message);
    t.match(second.resources[0]!.version, /;east=4$/);
  },
);

/** Of a control plane that `hops` away others are. */
function snapshotWithHops(text: string, hops: number, previous?: ServedSnapshot) {
  const context = { seen: () => new Map([['far', hops]]), hops: () => new Map([['far', hops]]), origin: 'o' };
  return makeSnapshot(resourcesOfText(text), { previous, ...context });
}

/** Says that it reads changes in versions. */
const reader = encodeMessage({ id: 'n', clientFeatures: [vectorFeature] }, 'envoy.config.core.v3.Node');

t.test('another control plane is told that an origin is nearer or further away, and nobody else is', async (t) => {
  const first = snapshotWithHops(serviceText('a'), 2);
  const request = { kind: 'delta', unsubscribe: [], initialVersions: [], nonce: '' } as const;
  const [control, plain] = [clientOf(first), clientOf(first)];
  for (const [client, node] of [
    [control, reader],
    [plain, undefined],
  ] as const) {
    client.session.onRequest(encodeRequest({ ...request, typeUrl: typeUrls['cds']!, subscribe: ['*'] }, node));
    client.session.onRequest(encodeRequest({ ...request, typeUrl: typeUrls['eds']!, subscribe: ['a'] }, undefined));
    client.session.onRequest(
      encodeRequest({ ...request, typeUrl: typeUrls['rds']!, subscribe: ['*'], unsubscribe: ['*'] }, undefined),
    );
    t.same(client.drain(), ['cds a -', 'eds a -']);
  }
  const further = snapshotWithHops(serviceText('a'), 3, first);
  for (const client of [control, plain]) client.publish(further);
  const told = control.next()!;
  t.same([told.type, told.names, told.removed], ['cds', [], []]);
  t.match(told.version, /;far=3;;o;far=3$/);
  t.same(control.drain(), ['eds  -'], 'of what it asks for');
  t.same(plain.drain(), []);
  const seen = makeSnapshot(resourcesOfText(serviceText('a')), {
    previous: further,
    seen: () => new Map([['far', 9]]),
    hops: () => new Map([['far', 3]]),
    origin: 'o',
  });
  control.publish(seen);
  t.same(control.drain(), [], 'that more was seen is told with the next answer');
});

t.test('another control plane that comes back is answered of each type, though it has everything', async (t) => {
  const snapshot = snapshotWithHops(serviceText('a'), 2);
  const before = clientOf(snapshot);
  const request = { kind: 'delta', typeUrl: typeUrls['eds']!, subscribe: ['a'], unsubscribe: [], nonce: '' } as const;
  before.session.onRequest(encodeRequest({ ...request, initialVersions: [] }, reader));
  const { name, version } = before.next()!.resources[0]!;
  const client = clientOf(snapshot);
  client.session.onRequest(encodeRequest({ ...request, initialVersions: [[name, version]] }, reader));
  t.same(client.drain(), ['eds  -'], 'who answered before may have been another run');
});

t.test('a type that is not known has nothing', async (t) => {
  const client = clientOf(shops);
  client.ask('type.googleapis.com/x.Y');
  t.same(client.drain(), ['type.googleapis.com/x.Y  -']);
});

t.test('the memory of a stream is bounded', async (t) => {
  const client = clientOf(shops);
  for (let index = 0; index < 64; index++) t.equal(client.ask(`type.googleapis.com/x.Y${index}`).kind, 'taken');
  t.match(client.ask('type.googleapis.com/x.Y'), { kind: 'failed', code: 'RESOURCE_EXHAUSTED' });
  const names = Array.from({ length: 500_001 }, (_, index) => `n${index}`);
  t.match(clientOf(shops).ask('eds', { subscribe: names }), { kind: 'failed', code: 'RESOURCE_EXHAUSTED' });
  t.match(client.session.onRequest(Uint8Array.of(0xff)), { kind: 'failed', code: 'INVALID_ARGUMENT' });
});
