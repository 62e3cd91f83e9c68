import t from 'tap';
import { readEnvironment } from '../../../proxy/sidecar/environment.ts';
import { sidecarNode, spiffeIdOf } from '../../../proxy/sidecar/sidecar-node.ts';

const environment = (variables: Record<string, string> = {}, labels = 'app="cart"\nversion="v1"\n') =>
  readEnvironment({
    variables: {
      POD_NAME: 'cart-1',
      POD_NAMESPACE: 'shop',
      INSTANCE_IP: '10.1.0.1',
      SERVICE_ACCOUNT: 'cart',
      ...variables,
    },
    readFile: (path) => (path === '/etc/istio/pod/labels' ? labels : undefined),
  });

t.test('the id has the four parts that istiod takes apart', async (t) => {
  const { id, cluster } = sidecarNode(environment(), 'shop.svc.cluster.local');
  t.equal(id, 'sidecar~10.1.0.1~cart-1.shop~shop.svc.cluster.local');
  t.equal(cluster, 'cart.shop');
});

t.test('metadata is what istiod selects by; facts of the pod win over what was passed along', async (t) => {
  const { metadata } = sidecarNode(
    environment({
      ISTIO_META_NAMESPACE: 'forged',
      ISTIO_META_INTERCEPTION_MODE: 'NONE',
      ISTIO_METAJSON_MORE: '{"LABELS":{"app":"old","team":"one"}}',
      ISTIO_META_NODE_NAME: 'node-7',
    }),
    'shop.svc.cluster.local',
  );
  t.match(metadata, {
    NAME: 'cart-1',
    NAMESPACE: 'shop',
    SERVICE_ACCOUNT: 'cart',
    CLUSTER_ID: 'Kubernetes',
    INSTANCE_IPS: '10.1.0.1',
    INTERCEPTION_MODE: 'NONE',
    NODE_NAME: 'node-7',
    LABELS: { app: 'cart', version: 'v1', team: 'one' },
    ISTIO_VERSION: /^\d+\.\d+\.\d+$/,
  });
});

t.test('a pod without labels is called by its name', async (t) => {
  t.equal(sidecarNode(environment({}, ''), 'd').cluster, 'cart-1.shop');
});

t.test('the identity that is asked for', async (t) => {
  t.equal(spiffeIdOf(environment({ TRUST_DOMAIN: 'td' })), 'spiffe://td/ns/shop/sa/cart');
});
