import t from 'tap';
import type { SourceStatus, TypeStatus } from '../../../config/dynamic-state.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

const clusters: TypeStatus = {
  typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  isWildcard: true,
  subscribed: [],
  heldCount: 3,
  version: '8',
  lastAck: { version: '7', atMs: 0 },
  lastNack: { version: '8', atMs: 1000, text: 'cluster "a": lb_policy: MAGLEV is not supported\ncluster "b": name' },
  responses: 2,
  bytesReceived: 900,
  lastApplyMs: 1.25,
};

const stream = { name: 'ads', target: 'istiod:15010', protocol: 'delta' } as const;

type Place = Pick<SourceStatus, 'name' | 'target' | 'protocol'>;

async function ask(path: string, connection: SourceStatus['connection'], place: Place = stream) {
  const source: SourceStatus = { ...place, connection, types: [clusters] };
  const dynamic = { sources: () => [source], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] };
  const admin = await startAdmin({ options: { dynamic } });
  try {
    return await admin.get(path);
  } finally {
    admin.stop();
  }
}

t.test('the page says what was accepted, what was refused and why, and what workers run', async (t) => {
  const { text } = await ask('/xds', { kind: 'connected', sinceMs: 0, controlPlane: 'istiod-1' });
  t.match(text, 'generation 1\nworker 0 runs generation 1\n');
  t.match(text, 'ads: delta from istiod:15010, connected to istiod-1 since 1970-01-01T00:00:00.000Z');
  t.match(
    text,
    '  envoy.config.cluster.v3.Cluster\n    subscribed to everything, holds 3\n    acknowledged version 7 at 1970',
  );
  t.match(text, '; 2 responses, 900 bytes, last applied in 1.3 ms\n');
  t.match(text, '    refused version 8 at 1970-01-01T00:00:01.000Z:\n      cluster "a": lb_policy: MAGLEV');
  t.match(text, '\n      cluster "b": name\n');
});

t.test('a control plane that cannot be reached is named with the reason', async (t) => {
  const waiting = { kind: 'waiting', untilMs: 2000, lastError: '14 UNAVAILABLE: no route' } as const;
  const { text } = await ask('/xds', waiting);
  t.match(text, 'not connected (14 UNAVAILABLE: no route), next attempt 1970-01-01T00:00:02.000Z');
});

t.test('a file is read, or cannot be used', async (t) => {
  const file = { name: 'cds /etc/c.yaml', target: '/etc/c.yaml', protocol: 'file' } as const;
  const text = async (connection: SourceStatus['connection']) => (await ask('/xds', connection, file)).text;
  t.match(await text({ kind: 'connecting' }), 'cds /etc/c.yaml: not read yet\n');
  t.match(
    await text({ kind: 'connected', sinceMs: 0, controlPlane: '' }),
    'cds /etc/c.yaml: read at 1970-01-01T00:00:00.000Z\n',
  );
  t.match(
    await text({ kind: 'waiting', untilMs: 0, lastError: 'ENOENT' }),
    'cds /etc/c.yaml: cannot be used (ENOENT); what was read before stays in use\n',
  );
});

t.test('the identity of the process comes from nobody', async (t) => {
  const own = { name: 'sds', target: 'the identity of this process', protocol: 'own' } as const;
  const text = async (connection: SourceStatus['connection']) => (await ask('/xds', connection, own)).text;
  t.match(await text({ kind: 'connecting' }), 'sds: the identity of this process, which is not there yet\n');
  t.match(
    await text({ kind: 'connected', sinceMs: 0, controlPlane: '' }),
    'sds: the identity of this process, there since 1970-01-01T00:00:00.000Z\n',
  );
});

t.test('JSON has the same for programs', async (t) => {
  const { text } = await ask('/xds?format=json', { kind: 'connecting' });
  t.match(JSON.parse(text), {
    generation: 1,
    workers: onlyItems(1),
    sources: onlyItems({
      name: 'ads',
      protocol: 'delta',
      connection: { state: 'connecting' },
      types: onlyItems({
        type_url: clusters.typeUrl,
        wildcard: true,
        held: 3,
        version: '8',
        refused: true,
        last_ack: { version: '7', at: '1970-01-01T00:00:00.000Z' },
        last_nack: { version: '8', at: '1970-01-01T00:00:01.000Z', text: clusters.lastNack!.text },
        responses: 2,
        bytes_received: 900,
        last_apply_ms: 1.25,
      }),
    }),
  });
  t.match(await ask('/xds?format=xml', { kind: 'connecting' }), { status: 400, text: /^format xml is not known/ });
});

t.test('names that are asked for one by one are counted for people, and listed for programs', async (t) => {
  const named: TypeStatus = { ...clusters, isWildcard: false, subscribed: ['a', 'b'] };
  const connection = { kind: 'connecting' } as const;
  const source: SourceStatus = { ...stream, connection, types: [named] };
  const dynamic = { sources: () => [source], warming: () => ({ clusters: 0, listeners: 0 }), resources: () => [] };
  const admin = await startAdmin({ options: { dynamic } });
  t.teardown(() => admin.stop());
  t.match((await admin.get('/xds')).text, '    subscribed to 2 names, holds 3\n');
  const { sources } = JSON.parse((await admin.get('/xds?format=json')).text);
  t.match(sources[0].types[0], { wildcard: false, subscribed: onlyItems('a', 'b') });
});

t.test('without a control plane the page says so', async (t) => {
  const admin = await startAdmin();
  t.teardown(() => admin.stop());
  t.match((await admin.get('/xds')).text, /^There is no control plane/m);
});

t.test('what the served configuration lacks is named, as much as a person reads', async (t) => {
  const names = Array.from({ length: 22 }, (_, index) => `c${index}`);
  const source = { kind: 'eds', serviceName: 'x', source: { kind: 'ads', initialFetchTimeoutMs: 0 } } as const;
  const clusters = new Map(names.map((name) => [name, clusterOf(name, [], { discovery: source })]));
  const admin = await startAdmin({ snapshot: { clusters } });
  t.teardown(() => admin.stop());
  const { text } = await admin.get('/xds');
  t.match(text, 'what is served lacks:\n  clusters["c0"]: its members are not known\n');
  t.match(text, '\n  and 2 more (?format=json has all)\n');
  t.equal(JSON.parse((await admin.get('/xds?format=json')).text).missing.length, 22);
});
