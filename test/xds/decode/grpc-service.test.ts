import t from 'tap';
import { decodeGrpcService } from '../../../xds/decode/grpc-service.ts';
import type { GrpcService } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const service = (fields: string) =>
  decodedAs('envoy.config.core.v3.GrpcService', `{${fields}}`, (message: GrpcService, problems) =>
    decodeGrpcService(message, problems),
  );
const google = (fields: string) => service(`google_grpc: {target_uri: "istiod:15012", stat_prefix: x, ${fields}}`);
const ssl = 'channel_credentials: {ssl_credentials: {root_certs: {filename: /root.pem}}}';
const factory = 'envoy.grpc_credentials.file_based_metadata';
const fileToken = (fields: string, name = factory) =>
  google(
    `${ssl}, credentials_factory_name: ${factory}, call_credentials: [{from_plugin: {name: ${name}, typed_config: {"@type": a/envoy.config.grpc_credential.v3.FileBasedMetadataConfig, ${fields}}}}]`,
  );

t.test('a service of a cluster, with what each call carries', async (t) => {
  t.same(
    service(
      'envoy_grpc: {cluster_name: c, authority: a.b}, timeout: 1s, initial_metadata: [{key: ClusterID, value: Kubernetes}, {key: share, value: 5%%}]',
    ),
    {
      value: {
        target: { kind: 'cluster', cluster: 'c', authority: 'a.b' },
        initialMetadata: [
          { key: 'clusterid', value: 'Kubernetes' },
          { key: 'share', value: '5%' },
        ],
      },
      problems: [],
    },
  );
});

t.test("a service by gRPC's own name for it", async (t) => {
  t.same(service('google_grpc: {target_uri: "unix:/a", stat_prefix: x}').value, {
    target: { kind: 'uri', uri: 'unix:/a', credentials: {} },
    initialMetadata: [],
  });
  const pair = 'private_key: {environment_variable: KEY}, cert_chain: {inline_string: chain}';
  const token = 'call_credentials: [{access_token: secret}]';
  t.same(google(`channel_credentials: {ssl_credentials: {${pair}}}, ${token}`), {
    value: {
      target: {
        kind: 'uri',
        uri: 'istiod:15012',
        credentials: {
          tls: {
            certificateChain: { kind: 'inline', text: 'chain' },
            privateKey: { kind: 'environment', variable: 'KEY' },
            subjectAltNames: [],
          },
          accessToken: { kind: 'inline', text: 'secret' },
        },
      },
      initialMetadata: [],
    },
    problems: [],
  });
});

t.test('a token that rotates in a file', async (t) => {
  const { value, problems } = fileToken(
    'secret_data: {filename: /token}, header_key: authorization, header_prefix: "Bearer "',
  );
  t.same(problems, []);
  t.match(value?.target, {
    credentials: {
      tls: { roots: { kind: 'file', path: '/root.pem' } },
      accessToken: { kind: 'file', path: '/token' },
    },
  });
  const place = 'google_grpc.call_credentials[0].from_plugin';
  t.matchOnly(fileToken('secret_data: {filename: /token}').problems, [
    `${place}.typed_config.header_prefix: must be "Bea`,
  ]);
  const prefix = 'header_prefix: "Bearer "';
  t.strictSame(fileToken(prefix).problems, [`${place}.typed_config.secret_data: secret_data is required`]);
  t.matchOnly(fileToken(`secret_data: {filename: /token}, ${prefix}, header_key: x-token`).problems, [
    `${place}.typed_config.header_key: x-token is not supported`,
  ]);
  t.strictSame(fileToken(`secret_data: {filename: /token}, ${prefix}`, 'other').problems, [
    `${place}.name: must be ${factory}`,
  ]);
});

t.test('the name that the certificate must be for, where it is not that of the address', async (t) => {
  const args = (entries: string) => google(`${ssl}, channel_args: {args: {${entries}}}`);
  t.match(args('grpc.ssl_target_name_override: {string_value: istiod.a.svc}').value, {
    target: { kind: 'uri', credentials: { tls: { sni: 'istiod.a.svc' } } },
  });
  const place = 'google_grpc.channel_args.args';
  t.strictSame(args('grpc.ssl_target_name_override: {string_value: ""}').problems, [
    `${place}.grpc.ssl_target_name_override: must be a string_value that is not empty`,
  ]);
  t.strictSame(args('grpc.lb_policy_name: {string_value: pick_first}').problems, [
    `${place}.grpc.lb_policy_name: grpc.lb_policy_name is not supported; only grpc.ssl_target_name_override is`,
  ]);
  t.matchOnly(args('grpc.ssl_target_name_override: {int_value: 1}').problems, [
    /int_value is not supported/,
    /must be a string_value that is not empty$/,
  ]);
});

t.test('a token is not sent in clear text', async (t) => {
  t.matchOnly(google('call_credentials: [{access_token: secret}]').problems, [
    /^google_grpc\.call_credentials: a token may not be sent in clear text/,
  ]);
});

t.test('what the rules of the message refuse is told once', async (t) => {
  const metadata = (key: string, value: string) =>
    service(`envoy_grpc: {cluster_name: c}, initial_metadata: [{key: "${key}", value: "${value}"}]`).problems;
  t.same(metadata('', 'v'), ['initial_metadata[0].key: key is required']);
  t.same(metadata('a b', 'v'), ['initial_metadata[0].key: "a b" is not a header name']);
  t.same(metadata('ü', 'v'), ['initial_metadata[0].key: "ü" is not a header name']);
  for (const text of ['\\n', '\\r', '\\0']) {
    t.same(metadata('a', text), ['initial_metadata[0].value: must not hold line breaks or zero bytes']);
  }
});

t.test('what cannot be followed is refused with what to write', async (t) => {
  const metadata = (key: string, value: string) =>
    service(`envoy_grpc: {cluster_name: c}, initial_metadata: [{key: "${key}", value: "${value}"}]`).problems;
  for (const key of ['grpc-timeout', 'x-bin']) {
    t.matchOnly(metadata(key, 'v'), [/^initial_metadata\[0\]\.key: .*gRPC keeps for itself/], key);
  }
  t.matchOnly(metadata('x!', 'v'), [/^initial_metadata\[0\]\.key: "x!" is not a key of gRPC metadata$/]);
  t.matchOnly(metadata('a', 'ü'), [/^initial_metadata\[0\]\.value: must be ASCII/]);
  t.matchOnly(metadata('a', '%HOSTNAME%'), [/^initial_metadata\[0\]\.value: a %COMMAND% is not supported/]);
  t.matchOnly(google('channel_credentials: {ssl_credentials: {cert_chain: {inline_string: c}}}').problems, [
    /^google_grpc\.channel_credentials\.ssl_credentials: cert_chain and private_key belong together/,
  ]);
  t.matchOnly(google(`${ssl}, credentials_factory_name: other`).problems, [
    /credentials_factory_name: other is not supp/,
  ]);
  const token = '{access_token: t}';
  t.matchOnly(google(`${ssl}, call_credentials: [${token}, ${token}]`).problems, [
    /more than one token is not supported/,
  ]);
  t.matchOnly(google(`${ssl}, call_credentials: [{google_refresh_token: t}]`).problems, [
    /google_refresh_token is not supported; write access_token/,
  ]);
  t.matchOnly(google('channel_credentials: {local_credentials: {}}').problems, [
    /local_credentials.*leave channel_cred/,
  ]);
});
