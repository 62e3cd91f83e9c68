import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { dump } from 'js-yaml';
import t from 'tap';
import { ConfigError } from '../../config/problems.ts';
import { loadBootstrap } from '../../xds/bootstrap-file.ts';
import { bootstrapOf, bootstrapProblems } from '../support/config-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

t.test('a file, text of the command line, or the one over the other', async (t) => {
  const directory = t.testdir({
    'a.yaml': 'node: {id: file, cluster: file}\nstatic_resources: {clusters: [{name: a}]}\n',
    'a.json': '{"node": {"id": "json"}}',
  });
  const load = (path: string | undefined, yaml: string | undefined) =>
    loadBootstrap({
      ...(path === undefined ? {} : { path: join(directory, path) }),
      ...(yaml === undefined ? {} : { yaml }),
      allowUnknownFields: false,
    }).bootstrap;
  t.equal(load('a.yaml', undefined).node.id, 'file');
  t.equal(load('a.json', undefined).node.id, 'json');
  t.equal(load(undefined, 'node: {id: text}').node.id, 'text');
  t.match(load('a.yaml', '{node: {id: text}, static_resources: {clusters: [{name: b}]}}'), {
    node: { id: 'text', cluster: 'file' },
    clusters: onlyItems({ name: 'a' }, { name: 'b' }),
  });
});

t.test('what cannot be read is one problem of the document', async (t) => {
  const failure = (source: { path?: string; yaml?: string }) => {
    try {
      loadBootstrap({ ...source, allowUnknownFields: false });
    } catch (error) {
      return (error as ConfigError).message;
    }
    return '';
  };
  const directory = t.testdir({ 'cut.yaml': 'static_resources: {' });
  t.match(
    failure({ path: join(directory, 'none.yaml') }),
    /none\.yaml: 1 problem\n {2}\(document\): cannot be read: ENOENT: the folder .* has no such file; put it there, or correct the path$/,
  );
  t.match(failure({ path: directory }), /cannot be read: EISDIR: it is a folder; name a file in it$/);
  t.match(
    failure({ path: join(directory, 'cut.yaml') }),
    /cut\.yaml: 1 problem\n {2}\(document\): line \d+, column \d+: /,
  );
  writeFileSync(join(directory, 'cut.json'), '\ufeff{"node": {"id": "a",\n}}');
  t.match(
    failure({ path: join(directory, 'cut.json') }),
    /cut\.json: 1 problem\n {2}\(document\): is not JSON: line 2, column 1: expected another name .* must be called \.yaml$/,
  );
  t.match(failure({ yaml: '' }), /^--config-yaml: 1 problem\n {2}\(document\): is empty/);
  t.match(failure({}), /there is no configuration; give -c or --config-yaml/);
});

t.test('unknown fields are problems, or warnings when they are allowed', async (t) => {
  const yaml = '{node: {id: a, idd: b}, nod: {}}';
  const problems = [
    'node.idd: unknown field of envoy.config.core.v3.Node; did you mean `id`?',
    'nod: unknown field of envoy.config.bootstrap.v3.Bootstrap; did you mean `node`?',
  ];
  t.same(bootstrapProblems(yaml), problems);
  const { bootstrap, warnings } = bootstrapOf(yaml, { allowUnknownFields: true });
  t.equal(bootstrap.node.id, 'a');
  t.same(
    warnings.map(({ path, message }) => `${path}: ${message}`),
    problems,
  );
});

t.test('every problem is told, in the order and the spelling of the file, and only once', async (t) => {
  t.same(
    bootstrapProblems(
      '{staticResources: {clusters: [{name: c, type: DNS, connectTimeout: 5}, {name: c}]}, admin: {address: {pipe: {}}}}',
    ),
    [
      'staticResources.clusters[0].type: "DNS" is not a value of this field; expected one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST',
      'staticResources.clusters[0].connectTimeout: expected a duration in seconds such as "1.5s", got 5; did you mean "5s"?',
      'staticResources.clusters[1].name: cluster "c" exists already: static_resources.clusters[0]',
      'admin.address.pipe.path: path is required',
    ],
  );
});

t.test('a member of a oneof that could not be read is not missing', async (t) => {
  t.same(bootstrapProblems('{admin: {address: {pipe: 5}}}'), ['admin.address.pipe: expected an object, got 5']);
});

t.test('the command line wins over the node, and the document is kept as it was written', async (t) => {
  const { bootstrap, document } = bootstrapOf('{node: {id: a}}', { overrides: { nodeId: 'b' } });
  t.equal(bootstrap.node.id, 'b');
  t.same(document, { node: { id: 'a' } });
});

/** Loads, or refuses with problems: nothing else may come out. */
function isOrderly(yaml: string): boolean {
  try {
    loadBootstrap({ yaml, allowUnknownFields: false });
    return true;
  } catch (error) {
    return error instanceof ConfigError && error.problems.length > 0 && error.message.length < 200_000;
  }
}

t.test('no text makes loading throw anything but problems', async () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json()), isOrderly), { numRuns: 300 });
  const yamlBits = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    '&x ',
    '*x',
    '"',
    "'",
    '!!',
    '#',
    '|',
    '<<',
  );
  fc.assert(
    fc.property(
      fc.array(yamlBits, { maxLength: 30 }).map((bits) => bits.join('')),
      isOrderly,
    ),
    { numRuns: 500 },
  );
});

t.test('no change of a good bootstrap makes loading throw anything but problems', async () => {
  const good = {
    node: { id: 'a', metadata: { k: [1] } },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    layered_runtime: { layers: [{ name: 's', static_layer: { a: { b: 1 } } }] },
    static_resources: {
      clusters: [
        {
          name: 'c',
          connect_timeout: '1s',
          circuit_breakers: { thresholds: [{ max_connections: 5 }] },
          load_assignment: {
            cluster_name: 'c',
            endpoints: [
              {
                lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 1 } } } }],
              },
            ],
          },
        },
      ],
      listeners: [
        {
          address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
          filter_chains: [
            {
              filter_chain_match: { prefix_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] },
              filters: [
                {
                  name: 'h',
                  typed_config: {
                    '@type': 'a/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                    stat_prefix: 'h',
                    http_filters: [
                      { name: 'r', typed_config: { '@type': 'a/envoy.extensions.filters.http.router.v3.Router' } },
                    ],
                    route_config: {
                      virtual_hosts: [
                        {
                          name: 'v',
                          domains: ['*'],
                          routes: [
                            { match: { safe_regex: { regex: '/a.*' } }, route: { cluster: 'c', timeout: '1s' } },
                            { match: { prefix: '/' }, redirect: { path_redirect: '/b' } },
                          ],
                          request_headers_to_add: [{ header: { key: 'a', value: '%PROTOCOL%' } }],
                        },
                      ],
                    },
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  };
  t.same(bootstrapProblems(JSON.stringify(good)), []);
  // JSON keeps `__proto__` as a key, and the YAML road is as strict.
  const changed = fc
    .tuple(fc.nat(), fc.oneof(fc.jsonValue(), fc.constant({ ['__proto__']: 1 })), fc.boolean())
    .map(([place, value, asYaml]) => {
      const tree = structuredClone(good);
      replaceNth(tree, place, value);
      return asYaml ? dump(tree) : JSON.stringify(tree);
    });
  fc.assert(fc.property(changed, isOrderly), { numRuns: 500 });
});

/** Puts `value` in the place of the n-th value of the tree, counted over and over. */
function replaceNth(tree: object, n: number, value: unknown): void {
  const places: { readonly holder: { [key: string]: unknown }; readonly key: string }[] = [];
  const collect = (holder: { [key: string]: unknown }) => {
    for (const [key, child] of Object.entries(holder)) {
      places.push({ holder, key });
      if (typeof child === 'object' && child !== null) collect(child as { [key: string]: unknown });
    }
  };
  collect(tree as { [key: string]: unknown });
  const { holder, key } = places[n % places.length]!;
  holder[key] = value;
}

t.test('a YAML document that refers to itself ends', async (t) => {
  t.ok(isOrderly('static_resources: &a {clusters: [{name: c, metadata: {filter_metadata: {n: *a}}}]}'));
  const bomb = ['a: &x0 {k: 1}'];
  for (let level = 1; level < 12; level++)
    bomb.push(
      `a${level}: &x${level} [${Array(9)
        .fill(`*x${level - 1}`)
        .join(', ')}]`,
    );
  t.ok(isOrderly(`${bomb.join('\n')}\n`), 'aliases of aliases are not unfolded');
  t.ok(isOrderly(`node: {metadata: {m: &y {k: 1}}}\n${bomb.join('\n')}\nadmin: *x11\n`));
});
