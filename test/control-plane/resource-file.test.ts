import fc from 'fast-check';
import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { problemText } from '../../control-plane/problem-text.ts';
import { readResourceFile } from '../../control-plane/resource-file.ts';
import { decodeMessage } from '../../xds/message/wire-message.ts';

const cluster = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const problemsOf = (text: string) => readResourceFile('x.yaml', text).problems.map(problemText);

t.test('a file has Envoy resources, one a document or a list of them, and services', async (t) => {
  const text = `
'@type': ${cluster}
name: a
connect_timeout: 1s
---
resources:
  - '@type': ${cluster}
    name: b
  - '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration
    name: c
---
# nothing
---
service: d
endpoints: [127.0.0.1:1]
`;
  const { resources, problems } = readResourceFile('x.yaml', text);
  t.same(problems, []);
  t.same(
    resources.map(({ type, name, place }) => [type.shortName, name, place]),
    [
      ['cds', 'a', 'x.yaml:2'],
      ['cds', 'b', 'x.yaml:7'],
      ['rds', 'c', 'x.yaml:9'],
      ['cds', 'd', 'x.yaml:14'],
      ['eds', 'd', 'x.yaml:14'],
    ],
  );
  t.same(decodeMessage(resources[0]!.message, 'envoy.config.cluster.v3.Cluster', new Problems()), {
    name: 'a',
    connectTimeout: 1000,
  });
});

t.test('JSON is taken, in both spellings of fields', async (t) => {
  const text = `{"@type": "${cluster}", "name": "a", "connectTimeout": "1s"}`;
  t.equal(readResourceFile('x.json', text).resources[0]!.name, 'a');
});

t.test('the version is the content', async (t) => {
  const versionOf = (text: string) => readResourceFile('x.yaml', text).resources[0]!.version;
  const yaml = versionOf(`'@type': ${cluster}\nname: a\nconnect_timeout: 1s\n`);
  t.equal(versionOf(`# moved\n\n{'@type': ${cluster}, name: a, connect_timeout: 1.0s}`), yaml);
  t.not(versionOf(`{'@type': ${cluster}, name: a, connect_timeout: 2s}`), yaml);
});

t.test('references to other resources are known', async (t) => {
  const [, , listener, route] = readResourceFile(
    'x.yaml',
    '{service: a, listen: "127.0.0.1:1", endpoints: ["127.0.0.1:2"], routes: [{to: {b: 1, c: 2}}, {to: d}]}',
  ).resources;
  t.same(listener!.references, { clusters: [], routes: ['a'], addresses: ['127.0.0.1:1'] });
  t.same(route!.references.clusters, ['b', 'c', 'd']);
});

t.test('all problems of a file are named at once, with line and path', async (t) => {
  const text = `
'@type': ${cluster}
name: a
lb_policy: ROUND
connect_timeout: 3
---
resources:
  - name: x
  - 5
  - '@type': type.googleapis.com/envoy.config.cluster.v3.Clusters
  - '@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
    cluster_name: c
    endpoints:
      - lb_endpoints:
          - endpoint: {address: {socket_address: {address: a.example, port_value: 1}}}
more: 1
---
service: s
endpoints: [a]
---
what: is this
---
- 1
`;
  t.matchOnly(problemsOf(text), [
    /^x\.yaml:4: lb_policy: "ROUND" is not a value/,
    /^x\.yaml:5: connect_timeout: expected a duration .* did you mean "3s"\?$/,
    /^x\.yaml:8: resources\[0\]\.@type: a type URL is required; expected one of /,
    /^x\.yaml:9: resources\[1\]: expected a resource with "@type"$/,
    /^x\.yaml:10: resources\[2\]\.@type: .*did you mean type\.googleapis\.com\/envoy\.config\.cluster\.v3\.Cluster\?$/,
    /^x\.yaml:15: resources\[3\]\.endpoints\[0\].*"a\.example" is not a literal IP address; use type STRICT_DNS/,
    /^x\.yaml:16: more: is not known beside `resources`$/,
    /^x\.yaml:19: endpoints\[0\]: expected an address/,
    /^x\.yaml:21: is nothing that can be served/,
    /^x\.yaml:23: expected a resource with "@type"/,
  ]);
});

t.test('a resource needs a name', async (t) => {
  const listener = 'type.googleapis.com/envoy.config.listener.v3.Listener';
  const address = '{socket_address: {address: 127.0.0.1, port_value: 1}}';
  t.same(problemsOf(`{'@type': ${listener}, address: ${address}}`), [
    'x.yaml:1: filter_chains: a listener needs a filter chain',
    'x.yaml:1: name: name is required',
  ]);
  t.matchOnly(problemsOf(`{'@type': ${cluster}}`), [/^x\.yaml:1: name: ./]);
});

t.test('what the data plane would refuse is refused here', async (t) => {
  t.matchOnly(problemsOf(`{'@type': ${cluster}, name: a, type: STATIC, health_checks: [{}]}`), [
    /health_checks.*not supported/,
  ]);
  t.matchOnly(problemsOf(`{'@type': ${cluster}, name: a, nam: b}`), [
    /^x\.yaml:1: nam: unknown field.*did you mean `name`\?$/,
  ]);
});

t.test('a file that is no YAML names the place, an empty one is one that is being written', async (t) => {
  t.matchOnly(problemsOf('a: [\n'), [/^x\.yaml:\d+: column \d+: /]);
  t.same(problemsOf('a: 1\n b: 2\n'), ['x.yaml:2: column 3: bad indentation of a mapping entry'], 'as editors open it');
  t.matchOnly(problemsOf(' \n'), [/^x\.yaml: is empty; /]);
  t.same(problemsOf('# nothing of it\n'), []);
});

t.test('no text and no tree makes it throw', async (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      readResourceFile('x.yaml', text);
    }),
    { numRuns: 300 },
  );
  const keys = fc.constantFrom(
    'service',
    'listen',
    'protocol',
    'endpoints',
    'routes',
    'to',
    'match',
    '@type',
    'resources',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>('a', '127.0.0.1:1', cluster, 1, 0, null, true, '/'),
      fc.dictionary(keys, tie('tree'), { maxKeys: 5 }),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      const { resources, problems } = readResourceFile('x.yaml', JSON.stringify(value));
      if (resources.length === 0 && problems.length === 0)
        return value === null || JSON.stringify(value).includes('[]');
      return resources.every(({ name }) => name !== '');
    }),
    { numRuns: 500 },
  );
  t.pass();
});

t.test('a document that is nothing says what was probably meant', async (t) => {
  const messageOf = (text: string) => readResourceFile('x.yaml', text).problems.map(problemText);
  const nothing = 'x.yaml:1: is nothing that can be served';
  t.same(messageOf('servce: a\nendpoints: []'), [
    `${nothing}: \`servce\` is not known here; did you mean \`service\`?`,
  ]);
  t.same(messageOf('listen: 127.0.0.1:1'), [`${nothing}: a service needs its name, as in \`service: shop\``]);
  t.same(messageOf('kind: x'), [`${nothing}: a resource has "@type", a list \`resources\`, a \`service\` its name`]);
});
