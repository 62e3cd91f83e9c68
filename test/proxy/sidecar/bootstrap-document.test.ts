import t from 'tap';
import { bootstrapDocument, isPlainText } from '../../../proxy/sidecar/bootstrap-document.ts';
import { readEnvironment } from '../../../proxy/sidecar/environment.ts';
import { sidecarNode } from '../../../proxy/sidecar/sidecar-node.ts';
import { loadBootstrap } from '../../../xds/bootstrap-file.ts';
import { onlyItems } from '../../support/only-items.ts';

const load = (variables: Record<string, string>) => {
  const environment = readEnvironment({
    variables: { POD_NAME: 'cart-1', POD_NAMESPACE: 'shop', INSTANCE_IP: '10.1.0.1', ...variables },
    readFile: () => undefined,
  });
  const document = bootstrapDocument(environment, sidecarNode(environment, 'shop.svc.cluster.local'));
  return loadBootstrap({ yaml: JSON.stringify(document), allowUnknownFields: false }).bootstrap;
};

t.test('istiod is asked over TLS, known by its root, with the pod’s token', async (t) => {
  const { dynamicResources, admin, grpcClusters, node } = load({});
  t.match(dynamicResources.ads, {
    protocol: 'delta',
    setNodeOnFirstMessageOnly: true,
    service: {
      initialMetadata: onlyItems({ key: 'clusterid', value: 'Kubernetes' }),
      target: {
        kind: 'uri',
        uri: 'istiod.istio-system.svc:15012',
        credentials: {
          tls: { roots: { kind: 'file', path: '/var/run/secrets/istio/root-cert.pem' } },
          accessToken: { kind: 'file', path: '/var/run/secrets/tokens/istio-token' },
        },
      },
    },
  });
  t.match(admin, { address: { ip: '127.0.0.1', port: 15_000 } });
  t.ok(grpcClusters.has('sds-grpc'));
  t.equal(node.id, 'sidecar~10.1.0.1~cart-1.shop~shop.svc.cluster.local');
});

t.test('istiod is known by the name that is said, where it is not the one in its address', async (t) => {
  const PROXY_CONFIG = '{"discoveryAddress":"10.0.0.1:15012"}';
  t.match(load({ PROXY_CONFIG, ISTIOD_SAN: 'istiod.a.svc' }).dynamicResources.ads?.service.target, {
    uri: '10.0.0.1:15012',
    credentials: { tls: { sni: 'istiod.a.svc' } },
  });
});

t.test('port 15010 is spoken to in clear text, and no token is sent there', async (t) => {
  const { dynamicResources } = load({ PROXY_CONFIG: '{"discoveryAddress":"istiod.istio-system.svc:15010"}' });
  t.same(dynamicResources.ads?.service.target, {
    kind: 'uri',
    uri: 'istiod.istio-system.svc:15010',
    credentials: {},
  });
  t.ok(isPlainText('a:15010'));
  t.notOk(isPlainText('a:15012'));
});
