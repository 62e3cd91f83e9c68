import t from 'tap';
import { secretSourcesOf } from '../../../xds/decode/written-secret-sources.ts';
import type { Bootstrap_StaticResources } from '../../../xds/generated/messages.ts';
import { messageOf } from '../../support/config-fixtures.ts';
import { tlsCluster, tlsListener } from '../../support/secret-fixtures.ts';

const config = (path: string) => `{name: a, sds_config: {path_config_source: {path: ${path}}}}`;

t.test('each place that may name a source is looked at', async (t) => {
  const certificates = (path: string) => `{tls_certificate_sds_secret_configs: [${config(path)}]}`;
  const combined = `{combined_validation_context: {default_validation_context: {}, validation_context_sds_secret_config: ${config('/4')}}}`;
  const matched = tlsCluster('d', certificates('/3')).replace(
    /transport_socket: (\{.*\})\}$/,
    'transport_socket_matches: [{name: m, transport_socket: $1}]}',
  );
  const tickets = tlsListener('m', 2, '{}').replace(
    'common_tls_context: {}',
    `session_ticket_keys_sds_secret_config: ${config('/6')}`,
  );
  const clusters = [
    tlsCluster('a', certificates('/1')),
    tlsCluster('b', `{validation_context_sds_secret_config: ${config('/2')}}`),
    matched,
    tlsCluster('e', combined),
    '{name: plain}',
  ];
  const listeners = [tlsListener('l', 1, certificates('/5')), tickets, '{name: none}'];
  const message = messageOf(
    'envoy.config.bootstrap.v3.Bootstrap.StaticResources',
    `{clusters: [${clusters.join(', ')}], listeners: [${listeners.join(', ')}]}`,
  ) as Bootstrap_StaticResources;
  t.same(
    secretSourcesOf(message).map(({ pathConfigSource }) => pathConfigSource?.path),
    ['/1', '/2', '/3', '/4', '/5', '/6'],
  );
  t.same(secretSourcesOf(undefined), []);
});
