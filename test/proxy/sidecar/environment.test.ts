import t from 'tap';
import { readEnvironment } from '../../../proxy/sidecar/environment.ts';
import { onlyItems } from '../../support/only-items.ts';

const injected = {
  POD_NAME: 'cart-1',
  POD_NAMESPACE: 'shop',
  INSTANCE_IP: '10.1.0.1',
  SERVICE_ACCOUNT: 'cart',
  HOST_IP: '10.0.0.9',
  CA_ADDR: '',
  PROXY_CONFIG: '{}\n',
};

const read = (variables: Record<string, string>, files: Record<string, string> = {}) =>
  readEnvironment({ variables: { ...injected, ...variables }, readFile: (path) => files[path] });

t.test('what Istio’s injector writes is read, with Istio’s defaults', async (t) => {
  t.match(read({}), {
    podName: 'cart-1',
    namespace: 'shop',
    instanceIps: onlyItems('10.1.0.1'),
    serviceAccount: 'cart',
    hostIp: '10.0.0.9',
    trustDomain: 'cluster.local',
    clusterId: 'Kubernetes',
    caAddress: 'istiod.istio-system.svc:15012',
    rootCertificate: { kind: 'file', path: '/var/run/secrets/istio/root-cert.pem' },
    tokenPath: '/var/run/secrets/tokens/istio-token',
    keyKind: 'rsa-2048',
    certificateLifetimeMs: 86_400_000,
    proxyConfig: { adminPort: 15_000, statusPort: 15_020 },
    termination: { drainMs: 5000, waitsForConnections: false, minimumDrainMs: 5000, acceptsForMs: 45_000 },
  });
  t.same([read({}).appProbes, read({}).appMetrics], [{}, []]);
});

t.test('the mesh’s own settings apply, and give way to the container’s', async (t) => {
  const PROXY_CONFIG = JSON.stringify({
    discoveryAddress: 'istiod.prod:15012',
    concurrency: 3,
    terminationDrainDuration: '1m30s',
    proxyAdminPort: 15_999,
    proxyMetadata: { SECRET_TTL: '2h', TRUST_DOMAIN: 'mesh.one' },
  });
  const environment = read({ PROXY_CONFIG, TRUST_DOMAIN: 'mesh.two' });
  t.match(environment, {
    trustDomain: 'mesh.two',
    certificateLifetimeMs: 7_200_000,
    caAddress: 'istiod.prod:15012',
    proxyConfig: { concurrency: 3, adminPort: 15_999 },
    termination: { drainMs: 90_000 },
  });
});

t.test('how it ends at SIGTERM is said by the mesh or by variables, the older of which goes first', async (t) => {
  const PROXY_CONFIG = '{"terminationDrainDuration":"30s","drainDuration":"1m"}';
  t.same(read({ PROXY_CONFIG, EXIT_ON_ZERO_ACTIVE_CONNECTIONS: 'true', MINIMUM_DRAIN_DURATION: '12s' }).termination, {
    drainMs: 30_000,
    waitsForConnections: true,
    minimumDrainMs: 12_000,
    acceptsForMs: 60_000,
  });
  t.match(read({ PROXY_CONFIG, TERMINATION_DRAIN_DURATION_SECONDS: '0', EXIT_ON_ZERO_ACTIVE_CONNECTIONS: '0' }), {
    termination: { drainMs: 0, waitsForConnections: false },
  });
  for (const [variable, value, message] of [
    ['EXIT_ON_ZERO_ACTIVE_CONNECTIONS', 'yes', /"yes" is neither true nor false/],
    ['TERMINATION_DRAIN_DURATION_SECONDS', '5s', /"5s" is no whole number/],
    ['MINIMUM_DRAIN_DURATION', '5', /"5" is no duration/],
  ] as const) {
    t.throws(() => read({ [variable]: value }), { message });
  }
});

t.test('it outlives the application, unless it is told for how long', async (t) => {
  t.equal(read({}).exitAfterApplicationMs, undefined);
  t.equal(read({ OUTRIGGER_EXIT_AFTER_APPLICATION: '6m' }).exitAfterApplicationMs, 360_000);
  t.throws(() => read({ OUTRIGGER_EXIT_AFTER_APPLICATION: 'true' }), { message: /"true" is no duration/ });
});

t.test('metadata, labels, probes and the place of metrics', async (t) => {
  const environment = read(
    {
      ISTIO_META_CLUSTER_ID: 'east',
      ISTIO_META_MESH_ID: 'm',
      ISTIO_METAJSON_LABELS: '{"LABELS":{"app":"cart"}}',
      ISTIO_KUBE_APP_PROBERS: '{"/app-health/cart/livez":{"tcpSocket":{"port":80}}}',
      ISTIO_PROMETHEUS_ANNOTATIONS: '{"scrape":"true","port":"9100","path":"/m"}',
      ECC_SIGNATURE_ALGORITHM: 'ECDSA',
    },
    { '/etc/istio/pod/labels': 'app="cart"\nversion="v1"\n' },
  );
  t.match(environment, {
    clusterId: 'east',
    metadata: { CLUSTER_ID: 'east', MESH_ID: 'm', LABELS: { app: 'cart' } },
    labels: { app: 'cart', version: 'v1' },
    appProbes: { '/app-health/cart/livez': { tcpSocket: { port: 80 } } },
    appMetrics: onlyItems({ port: 9100, path: '/m' }),
    keyKind: 'ecdsa-p256',
  });
});

t.test('where metrics are: one place, several, Istio’s defaults, and none of the sidecar’s own', async (t) => {
  const places = (written: object) => read({ ISTIO_PROMETHEUS_ANNOTATIONS: JSON.stringify(written) }).appMetrics;
  t.same(places({}), [{ port: 80, path: '/metrics' }]);
  t.same(places({ scrape: 'true', port: '', path: '' }), [{ port: 80, path: '/metrics' }]);
  t.same(places({ scrape: 'false', port: '9100' }), []);
  t.same(places({ targets: [{ port: '9100', path: '/a' }, { port: '9101' }] }), [
    { port: 9100, path: '/a' },
    { port: 9101, path: '/metrics' },
  ]);
  t.throws(() => places({ port: '15020' }), { message: /port: 15020 is a port of the sidecar/ });
  const moved = { ISTIO_PROMETHEUS_ANNOTATIONS: JSON.stringify({ port: '9400' }), ENVOY_PROMETHEUS_PORT: '9400' };
  t.throws(() => read(moved), { message: /port: 9400 is a port of the sidecar/ });
});

t.test('annotations of the pod say where the control plane and the status port are', async (t) => {
  const annotations = 'status.sidecar.istio.io/port="15999"\nsidecar.istio.io/discoveryAddress="istiod.a:15012"\n';
  const environment = read(
    { PROXY_CONFIG: '{"statusPort":15020,"discoveryAddress":"istiod.b:15012"}' },
    { '/etc/istio/pod/annotations': annotations },
  );
  t.match(environment, {
    caAddress: 'istiod.a:15012',
    proxyConfig: { statusPort: 15_999, discoveryAddress: 'istiod.a:15012' },
  });
});

t.test('where the roots are', async (t) => {
  const rows: readonly [variables: Record<string, string>, expected: unknown][] = [
    [
      { PILOT_CERT_PROVIDER: 'kubernetes' },
      { kind: 'file', path: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' },
    ],
    [{ PILOT_CERT_PROVIDER: 'system' }, { kind: 'system' }],
    [
      { CA_ROOT_CA: '/a.pem', PILOT_CERT_PROVIDER: 'system' },
      { kind: 'file', path: '/a.pem' },
    ],
    [{ XDS_ROOT_CA: 'SYSTEM' }, { kind: 'system' }],
  ];
  for (const [variables, expected] of rows) t.same(read(variables).rootCertificate, expected);
});

t.test('every problem is named at once', async (t) => {
  const variables = {
    POD_NAME: '',
    INSTANCE_IP: '10.1.0.300',
    PROXY_CONFIG: '{"concurrency": -1, "terminationDrainDuration": "soon"}',
    PILOT_CERT_PROVIDER: 'other',
    SECRET_TTL: '1d',
    ISTIO_KUBE_APP_PROBERS: '[]',
  };
  const error = t.throws(() => read(variables, { '/etc/istio/pod/labels': 'app=cart' })) as unknown as Error;
  for (const words of [
    /POD_NAME: the name of the pod is required/,
    /INSTANCE_IP: "10\.1\.0\.300" is no IP address/,
    /PROXY_CONFIG\.concurrency: -1 is no whole number/,
    /PROXY_CONFIG\.terminationDrainDuration: "soon" is no duration/,
    /PILOT_CERT_PROVIDER: other is not one of istiod, kubernetes, system/,
    /SECRET_TTL: "1d" is no duration/,
    /ISTIO_KUBE_APP_PROBERS: must be an object in JSON/,
    /\/etc\/istio\/pod\/labels: line 1 is not/,
  ]) {
    t.match(error.message, words);
  }
});

t.test('the name of istiod’s certificate is that of the CA, too, unless the CA is another', async (t) => {
  t.match(read({}), { istiodName: undefined, caName: undefined });
  t.match(read({ ISTIOD_SAN: 'istiod.a.svc' }), { istiodName: 'istiod.a.svc', caName: 'istiod.a.svc' });
  const other = read({ ISTIOD_SAN: 'istiod.a.svc', CA_ADDR: 'ca:443' });
  t.match(other, { istiodName: 'istiod.a.svc', caName: undefined });
});

t.test('DNS is captured where the environment or the mesh says so, and answered at one place', async (t) => {
  t.equal(read({}).capturesDns, false);
  t.equal(read({ ISTIO_META_DNS_CAPTURE: 'true' }).capturesDns, true);
  t.equal(read({ PROXY_CONFIG: '{"proxyMetadata":{"ISTIO_META_DNS_CAPTURE":"true"}}' }).capturesDns, true);
  t.equal(read({ ISTIO_META_DNS_CAPTURE: 'false' }).capturesDns, false);
  const message = /DNS_PROXY_ADDR: localhost:5353 is not supported; names are answered at localhost:15053/;
  t.throws(() => read({ ISTIO_META_DNS_CAPTURE: 'true', DNS_PROXY_ADDR: 'localhost:5353' }), { message });
  t.doesNotThrow(() => read({ DNS_PROXY_ADDR: 'localhost:5353' }), 'nobody answers there');
});

t.test('both addresses of a pod with two families', async (t) => {
  t.same(read({ INSTANCE_IPS: '10.1.0.1,fd00::1' }).instanceIps, ['10.1.0.1', 'fd00::1']);
});
