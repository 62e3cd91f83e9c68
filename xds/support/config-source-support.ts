// Fields of what says where configuration comes from: sources, gRPC services and their credentials, and the HTTP/2 of
// our own calls.

import type { SupportTable } from './support-table.ts';

const C = 'envoy.config.core.v3';
const onlyRest = 'used by REST, which is refused';
const sizeOfMessages = 'messages of up to 256 MiB are taken';
const noXdstp = 'xdstp:// names are not offered';
const ownBackOff = 'streams are opened again after a random time of up to 0.5 s, doubled with each failure up to 30 s';
const nodesHttp2 = 'connections of our own calls have the settings that gRPC needs';
const googleOnly = 'write ssl_credentials, or an envoy_grpc service with a cluster';
const tokenOnly = 'write access_token, or from_plugin envoy.grpc_credentials.file_based_metadata for a file';

export const configSourceSupport: SupportTable = {
  [`${C}.ConfigSource`]: {
    supported: [
      'path',
      'path_config_source',
      'api_config_source',
      'ads',
      'initial_fetch_timeout',
      'resource_api_version',
    ],
    unsupported: {
      authorities: noXdstp,
      self: 'name the source: ads, path_config_source or api_config_source',
    },
  },
  [`${C}.PathConfigSource`]: { supported: ['path', 'watched_directory'] },
  [`${C}.WatchedDirectory`]: { supported: ['path'] },
  [`${C}.AggregatedConfigSource`]: { supported: [] },
  [`${C}.ApiConfigSource`]: {
    supported: ['api_type', 'transport_api_version', 'grpc_services', 'set_node_on_first_message_only'],
    ignored: {
      refresh_delay: onlyRest,
      request_timeout: onlyRest,
      rate_limit_settings: 'changes of one moment travel in one request, so that requests stay few',
    },
    unsupported: {
      cluster_names: 'write grpc_services',
      config_validators: 'extensions cannot be loaded',
    },
  },
  [`${C}.GrpcService`]: {
    supported: ['envoy_grpc', 'google_grpc', 'initial_metadata', 'timeout'],
    unsupported: { retry_policy: ownBackOff },
  },
  [`${C}.GrpcService.EnvoyGrpc`]: {
    supported: ['cluster_name', 'authority'],
    ignored: { skip_envoy_headers: 'calls of our own carry none' },
    unsupported: { retry_policy: ownBackOff, max_receive_message_length: sizeOfMessages },
  },
  [`${C}.GrpcService.GoogleGrpc`]: {
    supported: ['target_uri', 'channel_credentials', 'call_credentials', 'credentials_factory_name', 'channel_args'],
    ignored: { stat_prefix: 'names statistics of a library that is not used here' },
    unsupported: {
      config: 'the one credentials factory that is offered has no configuration',
      per_stream_buffer_limit_bytes: sizeOfMessages,
      channel_credentials_plugin: googleOnly,
      call_credentials_plugin: tokenOnly,
    },
  },
  [`${C}.GrpcService.GoogleGrpc.ChannelArgs`]: { supported: ['args'] },
  [`${C}.GrpcService.GoogleGrpc.ChannelArgs.Value`]: {
    supported: ['string_value'],
    unsupported: { int_value: 'only grpc.ssl_target_name_override is offered, which is a string' },
  },
  [`${C}.GrpcService.GoogleGrpc.ChannelCredentials`]: {
    supported: ['ssl_credentials'],
    unsupported: { google_default: googleOnly, local_credentials: 'leave channel_credentials out' },
  },
  [`${C}.GrpcService.GoogleGrpc.SslCredentials`]: { supported: ['root_certs', 'private_key', 'cert_chain'] },
  [`${C}.GrpcService.GoogleGrpc.CallCredentials`]: {
    supported: ['access_token', 'from_plugin'],
    unsupported: {
      google_compute_engine: tokenOnly,
      google_refresh_token: tokenOnly,
      service_account_jwt_access: tokenOnly,
      google_iam: tokenOnly,
      sts_service: tokenOnly,
    },
  },
  [`${C}.GrpcService.GoogleGrpc.CallCredentials.MetadataCredentialsFromPlugin`]: {
    supported: ['name', 'typed_config'],
  },
  'envoy.config.grpc_credential.v3.FileBasedMetadataConfig': {
    supported: ['secret_data', 'header_key', 'header_prefix'],
  },
  [`${C}.Http2ProtocolOptions`]: {
    supported: ['connection_keepalive'],
    ignored: {
      hpack_table_size: nodesHttp2,
      max_concurrent_streams: nodesHttp2,
      initial_stream_window_size: nodesHttp2,
      initial_connection_window_size: nodesHttp2,
      allow_connect: nodesHttp2,
      allow_metadata: nodesHttp2,
      max_outbound_frames: nodesHttp2,
      max_outbound_control_frames: nodesHttp2,
      max_consecutive_inbound_frames_with_empty_payload: nodesHttp2,
      max_inbound_priority_frames_per_stream: nodesHttp2,
      max_inbound_window_update_frames_per_data_frame_sent: nodesHttp2,
      stream_error_on_invalid_http_messaging: nodesHttp2,
      override_stream_error_on_invalid_http_message: nodesHttp2,
      custom_settings_parameters: nodesHttp2,
      use_oghttp2_codec: nodesHttp2,
    },
  },
  [`${C}.KeepaliveSettings`]: {
    supported: ['interval', 'timeout'],
    ignored: {
      interval_jitter: 'a process has one connection to a control plane; there is no herd to spread',
      connection_idle_interval: 'a stream of configuration keeps its connection from being idle',
    },
  },
};
