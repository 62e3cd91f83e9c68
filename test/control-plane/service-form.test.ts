import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { readAddress } from '../../control-plane/service-address.ts';
import { readDuration } from '../../control-plane/service-fields.ts';
import { serviceResources } from '../../control-plane/service-form.ts';
import { serviceRoute } from '../../control-plane/service-route.ts';
import { parseDocument } from '../../xds/document/config-document.ts';
import { onlyItems } from '../support/only-items.ts';

function resourcesFrom(yaml: string) {
  const problems = new Problems();
  const resources = serviceResources(parseDocument(yaml, problems) as { [key: string]: unknown }, problems);
  return { resources, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

function routeFrom(yaml: string) {
  const problems = new Problems();
  const route = serviceRoute(parseDocument(yaml, problems), problems);
  return { route, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

const address = (ip: string, port: number) => ({ socket_address: { address: ip, port_value: port } });

t.test('a service with an address has a listener, routes, a cluster and an assignment of its name', async (t) => {
  const { resources, problems } = resourcesFrom('{service: a, listen: "127.0.0.1:80", endpoints: ["127.0.0.1:9001"]}');
  t.same(problems, []);
  t.same(
    resources.map((resource) => [resource['@type'], resource['name'] ?? resource['cluster_name']]),
    [
      ['type.googleapis.com/envoy.config.cluster.v3.Cluster', 'a'],
      ['type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment', 'a'],
      ['type.googleapis.com/envoy.config.listener.v3.Listener', 'a'],
      ['type.googleapis.com/envoy.config.route.v3.RouteConfiguration', 'a'],
    ],
  );
  t.match(resources[3], {
    virtual_hosts: onlyItems({
      domains: onlyItems('*'),
      routes: onlyItems({ match: { prefix: '/' }, route: { cluster: 'a' } }),
    }),
  });
  t.match(resources[2], { address: address('127.0.0.1', 80) });
});

t.test('endpoints have weights when they are given', async (t) => {
  const { resources } = resourcesFrom('{service: a, endpoints: ["127.0.0.1:1", {address: "127.0.0.1:2", weight: 3}]}');
  t.equal(resources.length, 2, 'without `listen`, others route to it');
  t.match(resources[1], {
    endpoints: onlyItems({
      lb_endpoints: onlyItems(
        { endpoint: { address: address('127.0.0.1', 1) } },
        { endpoint: { address: address('127.0.0.1', 2) }, load_balancing_weight: 3 },
      ),
    }),
  });
});

t.test('names are resolved by the data plane', async (t) => {
  const { resources } = resourcesFrom('{service: a, endpoints: ["a.example:80", "127.0.0.1:81"]}');
  t.equal(resources.length, 1);
  t.match(resources[0], { type: 'STRICT_DNS', load_assignment: { cluster_name: 'a' } });
});

t.test('protocol tcp forwards bytes', async (t) => {
  const { resources, problems } = resourcesFrom(
    '{service: a, listen: "[::1]:5432", protocol: tcp, endpoints: ["[::1]:5433"]}',
  );
  t.same(problems, []);
  t.match(JSON.stringify(resources[2]), /tcp_proxy.*"cluster":"a"/);
  t.equal(resources.length, 3);
});

t.test('a service without endpoints may route to others', async (t) => {
  t.same(resourcesFrom('{service: a, listen: "127.0.0.1:1", routes: [{to: b}]}').problems, []);
  t.same(resourcesFrom('{service: a, listen: "127.0.0.1:1"}').problems, [
    ': has neither endpoints nor routes to other services',
  ]);
});

t.test('every fault of a service is named at once, with what would be right', async (t) => {
  const yaml = `
service: [a]
listen: localhost:80
protocol: udp
endpoits: []
endpoints: [127.0.0.1, {adress: x}, {address: "127.0.0.1:1", weight: 0}]
routes: {to: b}`;
  t.same(resourcesFrom(yaml).problems, [
    'endpoits: is not known here; did you mean `endpoints`?',
    'service: expected text, got ["a"]',
    'endpoints[0]: expected an address such as 127.0.0.1:9001, [::1]:9001, name.example:9001 or unix:/path; got "127.0.0.1"',
    'endpoints[1].adress: is not known here; did you mean `address`?',
    'endpoints[1].address: expected an address such as 127.0.0.1:9001, [::1]:9001, name.example:9001 or unix:/path; got nothing',
    'endpoints[2].weight: expected a whole number from 1 to 1000000, got 0',
    'listen: "localhost:80" is not a literal IP address',
    'protocol: expected http or tcp',
    'routes: expected a list of routes, each with `to`',
  ]);
  t.same(resourcesFrom('{service: a, endpoints: x, routes: [], protocol: tcp}').problems, [
    'endpoints: expected a list of addresses such as 127.0.0.1:9001',
    'protocol: is for a service with `listen`, the address that takes requests',
    'routes: is for a service with `listen`, the address that takes requests',
  ]);
  t.same(resourcesFrom('{service: a, listen: "1.2.3.4:5", routes: [], protocol: tcp}').problems, [
    'routes: routes are for protocol http',
    'endpoints: endpoints are required for protocol tcp',
  ]);
});

t.test('a route matches, splits, times out, retries and rewrites', async (t) => {
  const { route, problems } = routeFrom(`
match: {prefix: /api, method: GET, headers: {x-user: ann}}
to: {shop: 90, shop-canary: 10}
timeout: 2s
retries: 2
rewrite: /`);
  t.same(problems, []);
  t.same(route, {
    match: {
      prefix: '/api',
      headers: [
        { name: 'x-user', string_match: { exact: 'ann' } },
        { name: ':method', string_match: { exact: 'GET' } },
      ],
    },
    route: {
      weighted_clusters: {
        clusters: [
          { name: 'shop', weight: 90 },
          { name: 'shop-canary', weight: 10 },
        ],
      },
      timeout: '2s',
      retry_policy: { retry_on: 'connect-failure,refused-stream,reset-before-request,gateway-error', num_retries: 2 },
      prefix_rewrite: '/',
    },
  });
  t.same(routeFrom('{match: {path: /a}, to: b, retries: 0}').route, { match: { path: '/a' }, route: { cluster: 'b' } });
  t.same(routeFrom('{match: {regex: "/a+"}, to: b}').route['match'], { safe_regex: { regex: '/a+' } });
});

t.test('every fault of a route is named', async (t) => {
  const faults: readonly (readonly [string, string])[] = [
    ['a', ': expected a mapping with `to`'],
    ['{to: }', 'to: expected text, got null'],
    ['{to: {a: 0}}', 'to: needs a service with a weight above 0'],
    ['{to: {a.b: x, c: 1}}', 'to["a.b"]: expected a whole number from 0 to 1000000, got "x"'],
    ['{to: a, timeout: 3}', 'timeout: expected a duration such as 2s or 500ms, got 3'],
    ['{to: a, retries: 101}', 'retries: expected a whole number from 0 to 100, got 101'],
    ['{to: a, match: /}', 'match: expected a mapping with prefix, path or regex, and headers'],
    ['{to: a, match: {prefix: api}}', 'match.prefix: expected a path that begins with /, got "api"'],
    ['{to: a, match: {prefix: /, path: /}}', 'match.path: only one of prefix and path may be set'],
    ['{to: a, match: {headers: [x]}}', 'match.headers: expected a mapping from names of headers to their values'],
    ['{to: a, match: {header: {}}}', 'match.header: is not known here; did you mean `headers`?'],
    [
      '{to: a, match: {regex: a}, rewrite: /}',
      'rewrite: replaces what prefix or path matched; there is nothing to replace for a regex',
    ],
  ];
  for (const [yaml, problem] of faults) t.same(routeFrom(yaml).problems, [problem], yaml);
  t.matchOnly(routeFrom('{to: a, match: {regex: "("}}').problems, [
    /^match\.regex: "\(" is not an RE2 regular expression/,
  ]);
});

t.test('durations have a unit', async (t) => {
  const problems = new Problems();
  const read = ['500ms', '2s', '1.5m', '1h', '0s'].map((text) => readDuration(text, problems));
  t.same(read, ['0.5s', '2s', '90s', '3600s', '0s']);
  t.ok(problems.isEmpty);
});

t.test('addresses of each kind', async (t) => {
  const kindOf = (text: unknown) => readAddress(text, new Problems())?.kind;
  t.same(['127.0.0.1:1', '[::1]:1', 'a.example:65535', 'unix:/run/x', 'unix:@x'].map(kindOf), [
    'ip',
    'ip',
    'name',
    'pipe',
    'pipe',
  ]);
  for (const wrong of [
    '127.0.0.1',
    '::1:1',
    '[a]:1',
    'a:65536',
    'a:',
    ':1',
    'a b:1',
    'http://a:1',
    'unix:',
    '',
    1,
    null,
  ]) {
    t.equal(kindOf(wrong), undefined, String(wrong));
  }
});
