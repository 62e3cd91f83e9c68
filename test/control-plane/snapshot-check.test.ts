import t from 'tap';
import { checkSnapshot } from '../../control-plane/snapshot-check.ts';
import { resourcesOfText, serviceText } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

const faultsOf = (...texts: string[]) =>
  checkSnapshot(
    texts.flatMap((text, index) => resourcesOfText(text, `${index}.yaml`)),
    false,
  ).map(({ resource, message }) => `${resource.place}: ${message}`);

const gateway = '{service: g, listen: "127.0.0.1:1", routes: [{to: shop}]}';

t.test('resources that name each other fit', async (t) => {
  t.same(faultsOf(gateway, serviceText('shop')), []);
});

t.test('a route to a cluster that no file has is named, with the one that was meant', async (t) => {
  t.same(faultsOf(gateway, serviceText('shops')), [
    '0.yaml:1: route configuration "g" needs cluster "shop", which no file has; did you mean "shops"?',
  ]);
  t.same(checkSnapshot(resourcesOfText(gateway), true), [], 'unless another control plane may have it');
});

t.test('an EDS cluster needs its assignment and a listener its routes', async (t) => {
  const eds = `{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: a, type: EDS,
    eds_cluster_config: {service_name: b, eds_config: {ads: {}, resource_api_version: V3}}}`;
  t.same(faultsOf(eds), ['0.yaml:1: cluster "a" needs load assignment "b", which no file has']);
  const [, , listener] = resourcesOfText('{service: s, listen: "127.0.0.1:1", endpoints: ["127.0.0.1:2"]}');
  t.match(
    checkSnapshot([listener!], false),
    onlyItems({ message: 'listener "s" needs route configuration "s", which no file has' }),
  );
});

t.test('a tcp listener needs its cluster', async (t) => {
  const [, , listener] = resourcesOfText(
    '{service: s, listen: "127.0.0.1:1", protocol: tcp, endpoints: ["127.0.0.1:2"]}',
  );
  t.match(
    checkSnapshot([listener!], false),
    onlyItems({ message: 'listener "s" needs cluster "s", which no file has' }),
  );
});

t.test('a name or an address that is there twice names both places', async (t) => {
  t.same(faultsOf(serviceText('a'), serviceText('a', 9002)), [
    '1.yaml:1: cluster "a" is also in 0.yaml:1; a name is for one',
    '1.yaml:1: load assignment "a" is also in 0.yaml:1; a name is for one',
  ]);
  t.same(faultsOf(gateway, gateway.replace('service: g', 'service: h'), serviceText('shop')), [
    '1.yaml:1: listener "h" listens on 127.0.0.1:1, which listener "g" in 0.yaml:1 has',
  ]);
});
