// The forms are those of Istio's metadata_object.h.

import fc from 'fast-check';
import t from 'tap';
import { decodeStruct, encodeStruct } from '../../../proxy/istio/struct-wire.ts';
import {
  decodeWorkload,
  encodeWorkload,
  MAX_HEADER_BYTES,
  workloadOfEndpoint,
  workloadOfNode,
} from '../../../proxy/istio/workload.ts';

const node = {
  id: 'sidecar~10.0.0.1~productpage-v1-84975bc778-pxz2w.default~default.svc.cluster.local',
  region: 'eu',
  zone: 'eu-1',
  metadata: {
    NAME: 'productpage-v1-84975bc778-pxz2w',
    NAMESPACE: 'default',
    WORKLOAD_NAME: 'productpage-v1',
    CLUSTER_ID: 'client-cluster',
    OWNER: 'kubernetes://apis/apps/v1/namespaces/default/deployments/productpage-v1',
    LABELS: {
      app: 'productpage',
      version: 'v1',
      'service.istio.io/canonical-name': 'productpage-v1',
      'service.istio.io/canonical-revision': 'version-1',
      role: 'front',
      secret: 'kept',
    },
    ISTIO_VERSION: '1.30.3',
    PROXY_CONFIG: { concurrency: 2 },
  },
};

const workload = {
  instance: 'productpage-v1-84975bc778-pxz2w',
  namespace: 'default',
  name: 'productpage-v1',
  kind: 'deployment',
  cluster: 'client-cluster',
  canonicalService: 'productpage-v1',
  canonicalRevision: 'version-1',
  app: 'productpage',
  version: 'v1',
  identity: '',
  region: 'eu',
  zone: 'eu-1',
  labels: new Map(),
};

t.test('a workload is what the metadata of its node says', async (t) => {
  t.same(workloadOfNode(node, []), workload);
  t.same(workloadOfNode(node, ['role', 'none']).labels, new Map([['role', 'front']]));
  t.same(workloadOfNode({ ...node, metadata: {} }, []).name, '');
  const qualified = {
    LABELS: { app: 'a', 'app.kubernetes.io/name': 'b', version: '1', 'app.kubernetes.io/version': '2' },
  };
  t.match(workloadOfNode({ ...node, metadata: qualified }, []), { app: 'b', version: '2' });
});

t.test('peers are told that and nothing else, and read the same', async (t) => {
  const header = encodeWorkload(workloadOfNode(node, ['role']));
  t.same(decodeWorkload(header, ['role']), { ...workload, labels: new Map([['role', 'front']]) });
  t.same(decodeWorkload(header, []), workload);
  const told = decodeStruct(Buffer.from(header, 'base64'))!;
  t.same(
    [...told.keys()],
    ['AVAILABILITY_ZONE', 'CLUSTER_ID', 'LABELS', 'NAME', 'NAMESPACE', 'OWNER', 'REGION', 'WORKLOAD_NAME'],
  );
  t.same((told.get('LABELS') as Map<string, string>).has('secret'), false);
  t.equal(told.get('OWNER'), node.metadata.OWNER);
});

t.test('the kind of a workload is in its owner', async (t) => {
  const kindOf = (owner: string, name = 'a') =>
    workloadOfNode({ ...node, metadata: { OWNER: owner, WORKLOAD_NAME: name } }, []).kind;
  t.equal(kindOf('kubernetes://apis/batch/v1/namespaces/default/jobs/a'), 'job');
  t.equal(kindOf('kubernetes://apis/batch/v1/namespaces/default/cronjobs/a'), 'cronjob');
  t.equal(kindOf('kubernetes://apis/v1/namespaces/default/pods/a'), 'pod');
  t.equal(kindOf('kubernetes://apis/v1/namespaces/default/statefulsets/a'), '');
  t.equal(kindOf('kubernetes://apis/v1/namespaces/default/pods/b'), '');
  t.equal(kindOf(''), '');
});

t.test('a header that is not what a sidecar sends says nothing', async (t) => {
  for (const header of ['', 'a', '=', 'a b', 'YWJj\n', '!!!!', '-_-_'])
    t.equal(decodeWorkload(header, []), null, header);
  const long = encodeStruct(new Map([['NAME', 'x'.repeat(MAX_HEADER_BYTES)]])).toString('base64');
  t.equal(decodeWorkload(long, []), null);
  fc.assert(
    fc.property(fc.base64String({ maxLength: 200 }), (header) => {
      const read = decodeWorkload(header, []);
      if (read !== null && read.name.length > header.length) t.fail('more than there was');
    }),
  );
});

t.test('an endpoint is told by the control plane', async (t) => {
  t.match(workloadOfEndpoint('ratings-v1;default;ratings;version-1;server-cluster'), {
    name: 'ratings-v1',
    namespace: 'default',
    canonicalService: 'ratings',
    canonicalRevision: 'version-1',
    cluster: 'server-cluster',
    app: '',
    identity: '',
  });
  t.equal(workloadOfEndpoint('a;b;c;d'), null);
  t.equal(workloadOfEndpoint(''), null);
});
