// Fields of the messages that several resources share: addresses, metadata, data sources, matchers, header options.

import type { SupportTable } from './support-table.ts';

export const coreSupport: SupportTable = {
  'envoy.config.core.v3.Address': {
    supported: ['socket_address', 'pipe'],
    unsupported: { envoy_internal_address: 'internal listeners are not offered' },
  },
  'envoy.config.core.v3.SocketAddress': {
    supported: ['protocol', 'address', 'port_value', 'ipv4_compat'],
    unsupported: {
      named_port: 'write port_value',
      network_namespace_filepath: 'sockets are of the namespace that the process is in',
      resolver_name: 'write a literal address, or use a DNS cluster',
    },
  },
  'envoy.config.core.v3.Pipe': { supported: ['path', 'mode'] },
  'envoy.config.core.v3.CidrRange': { supported: ['address_prefix', 'prefix_len'] },
  'envoy.config.core.v3.TcpKeepalive': {
    supported: ['keepalive_probes', 'keepalive_time', 'keepalive_interval'],
  },
  'envoy.config.core.v3.SocketOption': {
    supported: ['level', 'name', 'int_value'],
    ignored: {
      description: 'a note for people',
      state: 'the keep-alive options, which are the supported ones, act the same in every state',
    },
    unsupported: {
      buf_value: 'only the keep-alive options are offered',
      type: 'listeners are TCP or Unix sockets',
      ip_version: 'an option is for all addresses of its listener',
    },
  },
  'envoy.config.core.v3.BindConfig': {
    supported: ['source_address', 'extra_source_addresses'],
    unsupported: {
      freebind: { unless: [false], why: 'bind to an address of this machine' },
      socket_options: 'only the source address is offered',
      validate_network_namespaces: 'one source address of each IP version is offered',
      additional_source_addresses: 'one source address of each IP version is offered',
      local_address_selector: 'one source address of each IP version is offered',
    },
  },
  'envoy.config.core.v3.ExtraSourceAddress': {
    supported: ['address'],
    unsupported: { socket_options: 'only the source address is offered' },
  },
  'envoy.config.core.v3.TransportSocket': { supported: ['name', 'typed_config'] },
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': { supported: [] },
  'envoy.config.core.v3.TypedExtensionConfig': { supported: ['name', 'typed_config'] },
  'envoy.config.core.v3.ExtensionConfigSource': {
    supported: ['config_source', 'default_config', 'apply_default_config_without_warming', 'type_urls'],
  },
  'udpa.type.v1.TypedStruct': { supported: ['type_url', 'value'] },
  'xds.type.v3.TypedStruct': { supported: ['type_url', 'value'] },
  'envoy.config.core.v3.Metadata': {
    supported: ['filter_metadata'],
    ignored: { typed_filter_metadata: 'nothing that is supported reads typed metadata' },
  },
  'envoy.config.core.v3.DataSource': {
    supported: ['filename', 'inline_bytes', 'inline_string', 'environment_variable'],
    unsupported: { watched_directory: 'files are read when the configuration is loaded' },
  },
  'envoy.config.core.v3.SubstitutionFormatString': {
    supported: [
      'text_format',
      'json_format',
      'text_format_source',
      'omit_empty_values',
      'content_type',
      'json_format_options',
      'formatters',
    ],
  },
  'envoy.extensions.formatter.metadata.v3.Metadata': { supported: [] },
  'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery': { supported: [] },
  'envoy.config.core.v3.JsonFormatOptions': { supported: ['sort_properties'] },
  'envoy.config.core.v3.HeaderValueOption': {
    supported: ['header', 'append', 'append_action', 'keep_empty_value'],
  },
  'envoy.config.core.v3.HeaderValue': {
    supported: ['key', 'value'],
    unsupported: { raw_value: 'write value' },
  },
  'envoy.config.core.v3.RuntimeUInt32': { supported: ['default_value', 'runtime_key'] },
  'envoy.config.core.v3.RuntimeDouble': {
    supported: ['default_value'],
    ignored: { runtime_key: 'the default value is used; the runtime is not asked' },
  },
  'envoy.config.core.v3.RuntimeFractionalPercent': { supported: ['default_value', 'runtime_key'] },
  'envoy.type.v3.FractionalPercent': { supported: ['numerator', 'denominator'] },
  'envoy.type.v3.Percent': { supported: ['value'] },
  'envoy.type.v3.Int64Range': { supported: ['start', 'end'] },
  'envoy.type.matcher.v3.RegexMatcher': {
    supported: ['regex'],
    ignored: { google_re2: 'regular expressions always have RE2 syntax and linear time' },
  },
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': { supported: ['pattern', 'substitution'] },
  'envoy.type.matcher.v3.ListStringMatcher': { supported: ['patterns'] },
  'envoy.type.matcher.v3.StringMatcher': {
    supported: ['exact', 'prefix', 'suffix', 'safe_regex', 'contains', 'ignore_case'],
    unsupported: { custom: 'extension matchers are not offered' },
  },
};
