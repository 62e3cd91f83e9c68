// Fields of access logs and their filters.

import type { SupportTable } from './support-table.ts';

const AL = 'envoy.config.accesslog.v3';

export const accessLogSupport: SupportTable = {
  [`${AL}.AccessLog`]: { supported: ['name', 'filter', 'typed_config'] },
  [`${AL}.AccessLogFilter`]: {
    supported: [
      'status_code_filter',
      'duration_filter',
      'not_health_check_filter',
      'traceable_filter',
      'runtime_filter',
      'and_filter',
      'or_filter',
      'header_filter',
      'response_flag_filter',
      'grpc_status_filter',
    ],
    unsupported: {
      extension_filter: 'extension filters are not offered',
      metadata_filter: 'dynamic metadata does not exist yet',
      log_type_filter: 'a request is logged once, at its end',
    },
  },
  [`${AL}.StatusCodeFilter`]: { supported: ['comparison'] },
  [`${AL}.DurationFilter`]: { supported: ['comparison'] },
  [`${AL}.ComparisonFilter`]: { supported: ['op', 'value'] },
  [`${AL}.NotHealthCheckFilter`]: { supported: [] },
  [`${AL}.TraceableFilter`]: { supported: [] },
  [`${AL}.RuntimeFilter`]: {
    supported: ['runtime_key', 'percent_sampled'],
    unsupported: { use_independent_randomness: 'leave it out' },
  },
  [`${AL}.AndFilter`]: { supported: ['filters'] },
  [`${AL}.OrFilter`]: { supported: ['filters'] },
  [`${AL}.HeaderFilter`]: { supported: ['header'] },
  [`${AL}.ResponseFlagFilter`]: { supported: ['flags'] },
  [`${AL}.GrpcStatusFilter`]: { supported: ['statuses', 'exclude'] },
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': {
    supported: ['path', 'format', 'json_format', 'typed_json_format', 'log_format'],
  },
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': { supported: ['log_format'] },
  'envoy.extensions.access_loggers.stream.v3.StderrAccessLog': { supported: ['log_format'] },
};
