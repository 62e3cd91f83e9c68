import t from 'tap';
import { decodeRouteSource } from '../../../xds/decode/route-source.ts';
import type { HttpConnectionManager } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';

const source = (fields: string) =>
  decodedAs(
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    `{stat_prefix: p, ${fields}}`,
    (message: HttpConnectionManager, problems) => decodeRouteSource(message, problems),
  );

t.test('routes are written in place, or have a name and a source', async (t) => {
  t.match(source('route_config: {name: r}'), { value: { kind: 'inline', routes: { name: 'r' } }, problems: noItems });
  t.same(source('rds: {route_config_name: r, config_source: {ads: {}, initial_fetch_timeout: 0s}}'), {
    value: { kind: 'rds', name: 'r', source: { kind: 'ads', initialFetchTimeoutMs: 0 } },
    problems: [],
  });
});

t.test('a name and a source are needed', async (t) => {
  t.same(source('rds: {route_config_name: r}'), {
    value: undefined,
    problems: ['rds.config_source: config_source is required'],
  });
  t.same(source('rds: {config_source: {ads: {}}}').problems, [
    'rds.route_config_name: route_config_name is required: it is what is asked for',
  ]);
  t.same(source(''), { value: undefined, problems: [': one of rds, route_config is required'] });
});

t.test('virtual hosts arrive apart from routes that have a name of their own only', async (t) => {
  t.same(source('route_config: {name: r, vhds: {config_source: {ads: {}}}}').problems, [
    'route_config.vhds: vhds of routes that are written in place is not supported; write rds',
  ]);
});
