import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { clusterDecoder } from '../../../xds/resource/cluster-resource.ts';
import { extensionConfigDecoder } from '../../../xds/resource/extension-config-resource.ts';
import { listenerDecoder } from '../../../xds/resource/listener-resource.ts';
import { loadAssignmentDecoder } from '../../../xds/resource/load-assignment-resource.ts';
import type { ResourceDecoder } from '../../../xds/resource/resource-decoder.ts';
import { routeConfigurationDecoder } from '../../../xds/resource/route-configuration-resource.ts';
import { runtimeDecoder } from '../../../xds/resource/runtime-resource.ts';
import { virtualHostDecoder } from '../../../xds/resource/virtual-host-resource.ts';
import { encodedOf, inlineListener } from '../../support/assembly-bench.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

function decoded<T>(decoder: ResourceDecoder<T>, yaml: string) {
  const bytes = encodedOf(decoder.type.typeUrl.replace('type.googleapis.com/', ''), yaml);
  const problems = new Problems();
  const value = decoder.decode(bytes, problems);
  const name = decoder.type.nameOf(bytes);
  return { name, value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('each type comes by its bytes as its domain type', async (t) => {
  const bind = { kind: 'ip', ip: '127.0.0.6', port: 0 } as const;
  t.match(decoded(clusterDecoder(bind), '{name: a}'), {
    name: 'a',
    value: { name: 'a', bindAddress: bind },
    problems: noItems,
  });
  t.match(decoded(loadAssignmentDecoder, '{cluster_name: a}'), {
    name: 'a',
    value: { localities: noItems },
    problems: noItems,
  });
  t.match(decoded(routeConfigurationDecoder, '{name: r}'), { name: 'r', value: { name: 'r' }, problems: noItems });
  t.match(decoded(virtualHostDecoder, '{name: v, domains: [A]}'), {
    value: { domains: onlyItems('a') },
    problems: noItems,
  });
  t.same(decoded(runtimeDecoder, '{name: r, layer: {a: {b: 1}}}').value, new Map([['a.b', 1]]));
  const router = '{name: f, typed_config: {"@type": x/envoy.extensions.filters.http.router.v3.Router}}';
  t.same(decoded(extensionConfigDecoder, router).value, {
    name: 'f',
    config: {
      typeUrl: 'x/envoy.extensions.filters.http.router.v3.Router',
      typeName: 'envoy.extensions.filters.http.router.v3.Router',
      message: {},
    },
  });
});

t.test('options of a listener that are runtime values are those of the moment', async (t) => {
  let limit = 1;
  const runtime = () => new Map([['envoy.resource_limits.listener.l.connection_limit', limit]]);
  const decoder = listenerDecoder(runtime);
  t.match(decoded(decoder, inlineListener('l', 1)).value?.listener, { connectionLimit: 1 });
  limit = 2;
  t.match(decoded(decoder, inlineListener('l', 1)).value?.listener, { connectionLimit: 2 });
});

t.test('what is wrong has its path in the resource', async (t) => {
  t.matchOnly(decoded(clusterDecoder(undefined), '{name: a, lb_policy: MAGLEV}').problems, [
    /^lb_policy: MAGLEV is not/,
  ]);
  const host = '{endpoint: {address: {socket_address: {address: a.example, port_value: 1}}}}';
  t.matchOnly(decoded(loadAssignmentDecoder, `{cluster_name: a, endpoints: [{lb_endpoints: [${host}]}]}`).problems, [
    /^endpoints\[0\]\.lb_endpoints\[0\]\.endpoint\.address\.socket_address\.address: "a.example" is not a literal/,
  ]);
  t.strictSame(decoded(extensionConfigDecoder, '{name: f}').problems, ['typed_config: typed_config is required']);
  const problems = new Problems();
  t.equal(clusterDecoder(undefined).decode(Uint8Array.of(0xff, 0xff), problems), undefined);
  t.matchOnly(problems.list, [{ path: '', message: /envoy\.config\.cluster\.v3\.Cluster/ }]);
});
