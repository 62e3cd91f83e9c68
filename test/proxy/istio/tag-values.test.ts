import t from 'tap';
import { namesService, principalsOf, serviceOf, trafficTags } from '../../../proxy/istio/tag-values.ts';
import { workloadOfNode } from '../../../proxy/istio/workload.ts';
import { certificateFacts, tlsFacts } from '../../support/tls-facts-fixtures.ts';

const cluster = (name: string, services?: unknown) =>
  ({ name, config: { metadata: services === undefined ? {} : { istio: { services } } } }) as never;
const own = workloadOfNode({ id: '', region: '', zone: '', metadata: { NAMESPACE: 'here', WORKLOAD_NAME: 'us' } }, []);

t.test('a service is what the control plane says of the cluster', async (t) => {
  const whole = cluster('outbound|80||a.b', [{ host: 'a.b.svc', name: 'a', namespace: 'b' }, { host: 'x' }]);
  t.same(serviceOf(whole, '', 'asked'), { host: 'a.b.svc', name: 'a', namespace: 'b' });
  t.ok(namesService(whole));
  t.same(serviceOf(cluster('c', [{ host: 'a.b.svc' }]), '', 'asked'), { host: 'a.b.svc', name: 'a', namespace: '' });
  for (const services of [undefined, [], {}, [null], ['a'], 1]) {
    t.same(serviceOf(cluster('c', services), '', 'asked'), { host: 'asked', name: 'asked', namespace: '' });
    t.notOk(namesService(cluster('c', services)));
  }
});

t.test('what goes to no service of the mesh has a name of Istio', async (t) => {
  t.equal(serviceOf(cluster('PassthroughCluster'), '', 'h').name, 'PassthroughCluster');
  t.equal(serviceOf(cluster('InboundPassthroughCluster'), '', 'h').name, 'InboundPassthroughCluster');
  t.equal(serviceOf(cluster('other'), 'allow_any', 'h').name, 'PassthroughCluster');
  t.same(serviceOf(null, 'block_all', 'h'), { host: 'h', name: 'BlackHoleCluster', namespace: '' });
});

t.test('identities are those of verified certificates', async (t) => {
  const peer = certificateFacts({ uris: ['a', 'b'] });
  t.same(principalsOf(tlsFacts({ peer, own: null })), { own: '', peer: 'a' });
  t.same(principalsOf(tlsFacts({ peer, isPeerVerified: false })), { own: '', peer: '' });
  t.same(principalsOf(undefined), { own: '', peer: '' });
});

t.test('both ends have their places whoever reports', async (t) => {
  const service = { host: '', name: '', namespace: '' };
  const principals = { own: 'spiffe://td/ns/here/sa/us', peer: 'spiffe://td/ns/there/sa/them' };
  const client = trafficTags({ isOutbound: true, own, peer: null, principals, service });
  t.match(client, {
    reporter: 'source',
    source_workload: 'us',
    source_principal: principals.own,
    destination_workload: 'unknown',
    destination_workload_namespace: 'there',
    destination_principal: principals.peer,
    destination_service: 'unknown',
    destination_service_namespace: 'there',
    connection_security_policy: 'unknown',
  });
  const server = trafficTags({ isOutbound: false, own, peer: null, principals, service });
  t.match(server, {
    reporter: 'destination',
    source_workload: 'unknown',
    source_workload_namespace: 'there',
    destination_workload: 'us',
    destination_service_namespace: 'here',
    connection_security_policy: 'mutual_tls',
  });
});
