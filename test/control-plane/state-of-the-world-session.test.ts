import t from 'tap';
import { makeSnapshot, type ServedSnapshot } from '../../control-plane/served-snapshot.ts';
import { StateOfTheWorldSession } from '../../control-plane/state-of-the-world-session.ts';
import { type DiscoveryRequest, encodeRequest, readStateOfTheWorldResponse } from '../../xds/client/discovery-wire.ts';
import { resourcesOfText, serviceText, snapshotOfText, typeUrls } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

type Whole = Extract<DiscoveryRequest, { readonly kind: 'state-of-the-world' }>;

function clientOf(first: ServedSnapshot) {
  const session = new StateOfTheWorldSession({ typeUrl: undefined, clock: () => 1 });
  let snapshot = first;
  return {
    session,
    publish(next: ServedSnapshot) {
      snapshot = next;
    },
    ask(shortName: string, parts: Partial<Whole> = {}) {
      const request = {
        kind: 'state-of-the-world',
        typeUrl: typeUrls[shortName]!,
        version: '',
        names: [],
        nonce: '',
      } as const;
      return session.onRequest(encodeRequest({ ...request, ...parts }, undefined));
    },
    /** Type and number of resources of the next response. */
    next() {
      const bytes = session.next(snapshot);
      if (bytes === undefined) return undefined;
      const result = readStateOfTheWorldResponse(bytes);
      if (result.kind !== 'response') throw new Error(result.reason);
      const { typeUrl, nonce, version, resources } = result.response;
      return {
        type: Object.entries(typeUrls).find(([, url]) => url === typeUrl)![0],
        nonce,
        version,
        count: resources.length,
      };
    },
    drain() {
      const lines: string[] = [];
      for (let response = this.next(); response !== undefined; response = this.next()) {
        lines.push(`${response.type} ${response.count}`);
      }
      return lines;
    },
  };
}

const shops = snapshotOfText(`${serviceText('a')}---\n${serviceText('b')}`);
const cdsVersion = shops.types.get(typeUrls['cds']!)!.version;

t.test('clusters are sent whole when one of them changes or goes, endpoints as they change', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { names: ['a', 'b'] });
  client.ask('cds');
  t.same(client.drain(), ['cds 2', 'eds 2']);
  t.same(client.drain(), []);
  client.publish(snapshotOfText(`${serviceText('a')}---\n${serviceText('b', 9)}`, shops));
  t.same(client.drain(), ['eds 1']);
  client.publish(snapshotOfText(serviceText('a')));
  t.same(client.drain(), ['cds 1'], 'that an assignment is gone cannot be said');
});

t.test('a wildcard that matches nothing is answered, a name that is not there is not', async (t) => {
  const client = clientOf(shops);
  client.ask('lds');
  client.ask('rds', { names: ['x'] });
  t.same(client.drain(), ['lds 0']);
});

t.test('a client that comes back with the version of everything is sent nothing', async (t) => {
  const same = clientOf(shops);
  same.ask('cds', { version: cdsVersion });
  t.same(same.drain(), []);
  same.publish(snapshotOfText(serviceText('c')));
  t.same(same.drain(), ['cds 1'], 'until something changes');
  const behind = clientOf(shops);
  behind.ask('cds', { version: 'older' });
  t.same(behind.drain(), ['cds 2']);
});

t.test('a version says nothing about single names', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { version: shops.types.get(typeUrls['eds']!)!.version, names: ['a'] });
  t.same(client.drain(), ['eds 1']);
});

t.test('names that come are sent, names that go and come again too', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { names: ['a'] });
  const { nonce, version } = client.next()!;
  client.ask('eds', { names: ['a', 'b'], nonce, version });
  t.same(client.drain(), ['eds 1']);
  client.ask('eds', { names: ['a'], nonce, version });
  t.same(client.drain(), []);
  client.ask('eds', { names: ['b', 'a'], nonce, version });
  t.same(client.drain(), ['eds 1'], 'also with the nonce of an older response');
});

t.test('no names after there were some is nothing', async (t) => {
  const client = clientOf(shops);
  client.ask('eds', { names: ['a'] });
  client.drain();
  client.ask('eds', { names: [] });
  client.publish(snapshotOfText(serviceText('a', 5)));
  t.same(client.drain(), []);
});

t.test('a star is everything', async (t) => {
  const client = clientOf(shops);
  client.ask('cds', { names: ['*', 'a'] });
  t.same(client.drain(), ['cds 2']);
  client.ask('cds', { names: ['a'] });
  t.same(client.drain(), ['cds 1']);
});

t.test('the assignment of a changed cluster is sent again', async (t) => {
  const client = clientOf(shops);
  client.ask('cds');
  client.ask('eds', { names: ['a', 'b'] });
  client.drain();
  const changed = resourcesOfText(`${serviceText('a')}---\n${serviceText('b')}`).map((resource) =>
    resource.type.shortName === 'cds' && resource.name === 'a' ? { ...resource, version: 'new' } : resource,
  );
  client.publish(makeSnapshot(changed, { previous: shops }));
  t.same(client.drain(), ['cds 2', 'eds 1']);
});

t.test('that an origin is further away is told to nobody here', async (t) => {
  const withHops = (hops: number, previous?: ServedSnapshot) =>
    makeSnapshot(resourcesOfText(serviceText('a')), { previous, hops: () => new Map([['far', hops]]) });
  const first = withHops(2);
  const client = clientOf(first);
  client.ask('cds');
  client.ask('eds', { names: ['a'] });
  t.same(client.drain(), ['cds 1', 'eds 1']);
  client.publish(withHops(3, first));
  t.same(client.drain(), []);
});

t.test('an ACK and a NACK are known by their nonce', async (t) => {
  const client = clientOf(shops);
  client.ask('cds');
  const { nonce, version } = client.next()!;
  client.ask('cds', { nonce, version });
  t.match(client.session.status(), onlyItems({ isWildcard: true, lastAck: { version } }));
  client.publish(snapshotOfText(serviceText('c')));
  const second = client.next()!;
  t.match(client.ask('cds', { nonce: second.nonce, version, refusal: 'no' }), {
    refusal: { version: second.version, text: 'no' },
  });
  t.same(client.drain(), [], 'it is not sent again');
  t.match(client.session.status(), onlyItems({ isWildcard: true, lastNack: { text: 'no' }, lastAck: { version } }));
});

t.test('requests that are none fail the stream', async (t) => {
  const { session } = clientOf(shops);
  t.match(session.onRequest(Uint8Array.of(0xff)), { kind: 'failed', code: 'INVALID_ARGUMENT' });
  t.match(session.onRequest(new Uint8Array()), { kind: 'failed', code: 'INVALID_ARGUMENT' });
});
