import t from 'tap';
import { filterStateOperators } from '../../../proxy/format/filter-state-operators.ts';
import type { Workload } from '../../../proxy/istio/workload.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

const peer: Workload = {
  instance: 'web-1',
  namespace: 'shop',
  name: 'web',
  kind: 'deployment',
  cluster: 'c1',
  canonicalService: 'web-service',
  canonicalRevision: 'v2',
  app: '',
  version: '',
  identity: 'spiffe://t/ns/shop/sa/web',
  region: 'r',
  zone: 'z',
  labels: new Map([['team', 'é']]),
};

function written(argument: string, given: { downstreamPeer?: Workload; upstreamPeer?: Workload }): string | null {
  const context = finishedRequest();
  Object.assign(context.info, given);
  const value = filterStateOperators['FILTER_STATE']!({ name: 'FILTER_STATE', argument, maxLength: null })(context);
  return value === null ? null : String(value);
}

t.test('who the other sidecar says it is, is told by field, as one text and as JSON', (t) => {
  for (const [argument, expected] of [
    ['FIELD:workload', 'web'],
    ['FIELD:name', 'web-1'],
    ['FIELD:type', 'deployment'],
    ['FIELD:namespace', 'shop'],
    ['FIELD:service', 'web-service'],
    ['FIELD:revision', 'v2'],
    ['FIELD:app', ''],
    ['FIELD:constructor', null],
    [
      'PLAIN',
      'type=deployment,workload=web,name=web-1,cluster=c1,namespace=shop,service=web-service,revision=v2,labels[]team=\u00c3\u00a9',
    ],
    [
      'TYPED',
      '{"availability_zone":"z","cluster":"c1","identity":"spiffe://t/ns/shop/sa/web","labels":{"team":"\u00c3\u00a9"},' +
        '"name":"web-1","namespace":"shop","region":"r","revision":"v2","service":"web-service","type":"deployment",' +
        '"workload":"web"}',
    ],
  ] as const) {
    t.equal(written(`upstream_peer:${argument}`, { upstreamPeer: peer }), expected, argument);
  }
  t.equal(written('downstream_peer_obj:FIELD:workload', { downstreamPeer: peer }), 'web');
  t.equal(written('upstream_peer:FIELD:type', { upstreamPeer: { ...peer, kind: '' } }), 'unknown');
  t.equal(written('upstream_peer', { upstreamPeer: peer }), written('upstream_peer:TYPED', { upstreamPeer: peer }));
  t.end();
});

t.test('a peer that says nothing, and any other name, have nothing to tell', (t) => {
  t.equal(written('upstream_peer:FIELD:workload', { downstreamPeer: peer }), null);
  t.equal(written('downstream_peer:PLAIN', { upstreamPeer: peer }), null);
  t.equal(written('constructor', { upstreamPeer: peer, downstreamPeer: peer }), null);
  t.end();
});

t.test('a peer cannot end the line that it is written to', (t) => {
  const evil = { ...peer, name: 'a\r\nGET', labels: new Map([['x\n', '\x7f"']]) };
  for (const form of ['FIELD:workload', 'PLAIN', 'TYPED']) {
    t.notMatch(written(`upstream_peer:${form}`, { upstreamPeer: evil }), /\p{Cc}/u, form);
  }
  t.equal(JSON.parse(written('upstream_peer', { upstreamPeer: evil })!).labels['x\n'], '\x7f"');
  t.end();
});
