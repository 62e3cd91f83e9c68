import t from 'tap';
import { decodeUpstreamTls } from '../../../xds/decode/upstream-tls.ts';
import type { UpstreamHttpProtocolOptions, UpstreamTlsContext } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const decoded = (yaml: string, options?: UpstreamHttpProtocolOptions) =>
  decodedAs(
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    `{${yaml}}`,
    (message: UpstreamTlsContext, problems) => decodeUpstreamTls(message, options, problems),
  );

t.test('what is not written has the defaults of Envoy', async (t) => {
  const defaults = { sni: '', autoSni: false, autoHostSni: false, autoSanValidation: false, maxSessionKeys: 1 };
  t.match(decoded(''), { problems: noItems, value: { ...defaults, certificates: noItems } });
});

t.test('what is written', async (t) => {
  const rows: readonly [yaml: string, value: object, options?: UpstreamHttpProtocolOptions][] = [
    ['sni: a.example, max_session_keys: 0', { sni: 'a.example', maxSessionKeys: 0 }],
    ['auto_host_sni: true', { autoHostSni: true, autoSni: false }],
    ['auto_sni_san_validation: true', { autoSanValidation: true }],
    ['', { autoSni: true, autoSanValidation: true }, { autoSni: true, autoSanValidation: true }],
    ['allow_renegotiation: false, enforce_rsa_key_usage: true', {}],
  ];
  for (const [yaml, value, options] of rows) t.match(decoded(yaml, options), { problems: noItems, value }, yaml);
});

t.test('what Istio sends', async (t) => {
  const sds = (name: string) =>
    `{name: ${name}, sds_config: {api_config_source: {api_type: GRPC, transport_api_version: V3, set_node_on_first_message_only: true, grpc_services: [{envoy_grpc: {cluster_name: sds-grpc}}]}, initial_fetch_timeout: 0s, resource_api_version: V3}}`;
  const san = '{exact: "spiffe://cluster.local/ns/a/sa/b"}';
  const { value, problems } = decoded(
    `common_tls_context: {tls_params: {tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3}, tls_certificate_sds_secret_configs: [${sds('default')}], combined_validation_context: {default_validation_context: {match_subject_alt_names: [${san}]}, validation_context_sds_secret_config: ${sds('ROOTCA')}}, alpn_protocols: [istio-peer-exchange, istio]}, sni: outbound_.80_._.b.a.svc.cluster.local`,
  );
  t.same(problems, []);
  const source = { kind: 'sds', config: { kind: 'grpc', initialFetchTimeoutMs: 0 } };
  t.match(value, {
    certificates: onlyItems({ name: 'default', source }),
    validation: { own: { subjectAltNames: onlyItems({ type: 'any' }) }, secret: { name: 'ROOTCA', source } },
    alpnProtocols: onlyItems('istio-peer-exchange', 'istio'),
    sni: 'outbound_.80_._.b.a.svc.cluster.local',
  });
});

t.test('problems', async (t) => {
  const two = 'tls_certificate_sds_secret_configs: [{name: a}, {name: b}]';
  const rows: readonly [yaml: string, problem: RegExp][] = [
    [
      `common_tls_context: {${two}}`,
      /^common_tls_context\.tls_certificate_sds_secret_configs: more than one certificate/,
    ],
    ['allow_renegotiation: true', /^allow_renegotiation: .*renegotiation is never allowed/],
    [`sni: ${'a'.repeat(256)}`, /^sni: must have at most 255 bytes/],
    ['sni: "a\\0b"', /^sni: must not hold zero bytes/],
  ];
  for (const [yaml, problem] of rows) t.matchOnly(decoded(yaml).problems, [problem], yaml);
});
