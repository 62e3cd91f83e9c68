import t from 'tap';
import { decodeRuntime, runtimeNumber } from '../../../xds/decode/runtime.ts';
import type { LayeredRuntime } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const known = { hasAds: true, grpcClusters: new Map() };
const runtime = (layers: string) =>
  decodedAs('envoy.config.bootstrap.v3.LayeredRuntime', `{layers: [${layers}]}`, (message: LayeredRuntime, problems) =>
    decodeRuntime(message, known, problems),
  );

t.test('objects are names with dots, and later layers win', async (t) => {
  const { value, problems } = runtime(
    '{name: a, static_layer: {x: {y: 1, z: text}, k: true}}, {name: b, static_layer: {x.y: 2}}, {name: c, admin_layer: {}}',
  );
  t.same(problems, []);
  t.same(
    [...value.values],
    [
      ['x.y', 2],
      ['x.z', 'text'],
      ['k', true],
    ].sort((a, b) => (a[0] === 'k' ? 1 : b[0] === 'k' ? -1 : 0)),
  );
  t.same(
    value.layers.map(({ name, kind, values }) => [name, kind, values.size]),
    [
      ['a', 'static', 3],
      ['b', 'static', 1],
      ['c', 'admin', 0],
    ],
  );
});

t.test('without a runtime there are no layers', async (t) => {
  t.same(
    decodedAs('envoy.config.bootstrap.v3.LayeredRuntime', '{}', (_, problems) =>
      decodeRuntime(undefined, known, problems),
    ).value.layers,
    [],
  );
});

t.test('a layer that a control plane sends is empty until it comes', async (t) => {
  t.same(runtime('{name: a, rtds_layer: {name: resource, rtds_config: {ads: {}, initial_fetch_timeout: 1s}}}'), {
    value: {
      layers: [
        {
          name: 'a',
          kind: 'rtds',
          resource: 'resource',
          source: { kind: 'ads', initialFetchTimeoutMs: 1000 },
          values: new Map(),
        },
      ],
      values: new Map(),
    },
    problems: [],
  });
});

t.test('problems', async (t) => {
  const rows: readonly [layers: string, problem: string][] = [
    ['{name: a, static_layer: {}}, {name: a, static_layer: {}}', 'layers[1].name: a exists already'],
    [
      '{name: a, admin_layer: {}}, {name: b, admin_layer: {}}',
      'layers[1].admin_layer: there is an admin layer already',
    ],
    [
      '{name: a, static_layer: {x: [1]}}',
      'layers[0].static_layer["x"]: x must be a number, text, true or false, or an object of such',
    ],
    [
      '{name: a, static_layer: {x: {y: ~}}}',
      'layers[0].static_layer["x"]["y"]: x.y must be a number, text, true or false, or an object of such',
    ],
    [
      '{name: a, static_layer: {x: {numerator: 1}}}',
      'layers[0].static_layer["x"]: a fractional percent for x is not supported; write a percentage as a number',
    ],
    [
      '{name: a, disk_layer: {symlink_root: b}}',
      'layers[0].disk_layer: disk_layer is not supported; write the values in a static_layer',
    ],
    [
      '{name: a, rtds_layer: {rtds_config: {ads: {}}}}',
      'layers[0].rtds_layer.name: name is required: it is the resource that is asked for',
    ],
    [
      '{name: a, rtds_layer: {name: b}}',
      'layers[0].rtds_layer.rtds_config: rtds_config is required: it says where it comes from',
    ],
    ['{static_layer: {}}', 'layers[0].name: name is required'],
  ];
  for (const [layers, problem] of rows) t.same(runtime(layers).problems, [problem]);
});

t.test('a number may be in quotes', async (t) => {
  const values = new Map<string, string | number | boolean>([
    ['a', 5],
    ['b', '7'],
    ['c', 'seven'],
    ['d', true],
  ]);
  t.same(
    ['a', 'b', 'c', 'd', 'e'].map((key) => runtimeNumber(values, key)),
    [5, 7, undefined, undefined, undefined],
  );
});
