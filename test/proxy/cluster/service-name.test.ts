import t from 'tap';
import { serviceNameOf } from '../../../proxy/cluster/service-name.ts';

t.test('a cluster serves what Istio says, in its metadata or in its name, else what it is called', async (t) => {
  const services = (value: unknown) => ({ istio: { services: value } });
  const host = 'reviews.shop.svc.cluster.local';
  const istio = `outbound|9080|v1|${host}`;
  t.equal(serviceNameOf({ name: istio, metadata: services([{ host: 'told.example', name: 'told' }]) }), 'told.example');
  t.equal(serviceNameOf({ name: istio, metadata: {} }), host);
  for (const wrong of [[], [null], [{ name: 'reviews' }], [{ host: 7 }], 'reviews'])
    t.equal(serviceNameOf({ name: istio, metadata: services(wrong) }), host);
  t.equal(serviceNameOf({ name: 'inbound|9080||', metadata: {} }), 'inbound|9080||');
  t.equal(serviceNameOf({ name: 'origin', metadata: {} }), 'origin');
});
