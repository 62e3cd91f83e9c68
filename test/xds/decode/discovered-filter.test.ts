import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeDiscoveredFilter } from '../../../xds/decode/discovered-filter.ts';
import type { ExtensionConfigSource } from '../../../xds/generated/messages.ts';
import { messageOf } from '../../support/config-fixtures.ts';

const messageName = 'envoy.config.core.v3.ExtensionConfigSource';

function decoded(yaml: string, name = 'f') {
  const problems = new Problems();
  const discovery = messageOf(messageName, yaml) as ExtensionConfigSource;
  const written = { place: 'http-filter', name, discovery } as const;
  const filter = decodeDiscoveredFilter(written, (typeName) => typeName.startsWith('known.'), problems);
  return { filter, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a filter is discovered by its name, from a source, as one of several types', async (t) => {
  t.same(decoded('{config_source: {ads: {}, initial_fetch_timeout: 2s}, type_urls: [t/known.A, t/known.B]}'), {
    filter: {
      place: 'http-filter',
      name: 'f',
      source: { kind: 'ads', initialFetchTimeoutMs: 2_000 },
      typeNames: ['known.A', 'known.B'],
      startsWithFallback: false,
    },
    problems: [],
  });
  t.match(decoded('{config_source: {path_config_source: {path: /f.yaml}}, type_urls: [t/known.A]}').filter, {
    source: { kind: 'path', path: '/f.yaml' },
  });
});

t.test('every type that may come has to be supported', async (t) => {
  t.same(decoded('{config_source: {ads: {}}, type_urls: [t/known.A, t/example.Guard]}').problems, [
    'type_urls[1]: example.Guard is not supported; keep on Envoy what needs it',
  ]);
});

t.test('a default is one of the types, and needed to serve with it at once', async (t) => {
  const a = 'config_source: {ads: {}}, type_urls: [t/known.A]';
  const { filter } = decoded(
    `{${a}, default_config: {"@type": t/known.A}, apply_default_config_without_warming: true}`,
  );
  t.match(filter, { fallback: { typeName: 'known.A' }, startsWithFallback: true });
  t.same(decoded(`{${a}, default_config: {"@type": t/known.B}}`).problems, [
    'default_config: is known.B, which is not among type_urls',
  ]);
  t.same(decoded(`{${a}, apply_default_config_without_warming: true}`).problems, [
    'apply_default_config_without_warming: needs a default_config',
  ]);
});

t.test('without a name or a source nothing can be asked for', async (t) => {
  t.matchOnly(decoded('{config_source: {ads: {}}, type_urls: [t/known.A]}', '').problems, [
    /^: a filter .* needs a name/,
  ]);
  const { filter, problems } = decoded('{type_urls: [t/known.A]}');
  t.equal(filter, undefined);
  t.matchOnly(problems, [/^config_source: config_source is required/]);
});
