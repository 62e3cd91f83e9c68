import t from 'tap';
import { ineffectiveVariables } from '../../../proxy/export/ineffective-variables.ts';

const namesIn = (environment: Readonly<Record<string, string>>): readonly string[] =>
  ineffectiveVariables(environment).map((sentence) => sentence.slice(0, sentence.indexOf(' ')));

t.test('what is obeyed is not spoken of', (t) => {
  const obeyed = {
    PATH: '/bin',
    OTEL_SDK_DISABLED: 'true',
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'None',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_METRICS_EXEMPLAR_FILTER: 'trace_based',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
    OTEL_SERVICE_NAME: 'shop',
    OTEL_RESOURCE_ATTRIBUTES: 'a=b',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_CERTIFICATE: '/roots',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret',
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '1000',
    OTEL_BSP_SCHEDULE_DELAY: '',
  };
  t.strictSame(ineffectiveVariables(obeyed), []);
  t.end();
});

t.test('each that changes nothing has one line with what decides in its place, and never its value', (t) => {
  const environment = {
    OTEL_TRACES_EXPORTER: 'zipkin',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://secret:4318',
    OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: '/secret',
    OTEL_EXPORTER_OTLP_INSECURE: 'secret',
    OTEL_EXPORTER_ZIPKIN_ENDPOINT: 'http://secret',
    OTEL_TRACES_SAMPLER: 'secret',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
    OTEL_PROPAGATORS: 'secret',
    OTEL_BSP_SCHEDULE_DELAY: '1',
    OTEL_METRIC_EXPORT_TIMEOUT: '1',
    OTEL_METRICS_EXEMPLAR_FILTER: 'always_on',
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '10',
    OTEL_SDK_DISABLED: '1',
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'secret',
    OTEL_SOMETHING_NEW: 'secret',
  };
  t.strictSame(namesIn(environment), Object.keys(environment).sort());
  const sentences = ineffectiveVariables(environment);
  t.notMatch(sentences.join('\n'), /secret/);
  t.match(sentences.join('\n'), /^OTEL_TRACES_SAMPLER has no effect: .*--sampling-config/m);
  t.match(sentences.join('\n'), /^OTEL_SOMETHING_NEW has no effect: it is not read$/m);
  t.end();
});

t.test('an endpoint for all signals is one for metrics alone, when they are asked for', (t) => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
  t.strictSame(namesIn(endpoint), ['OTEL_EXPORTER_OTLP_ENDPOINT']);
  t.strictSame(namesIn({ ...endpoint, OTEL_METRICS_EXPORTER: 'none' }), ['OTEL_EXPORTER_OTLP_ENDPOINT']);
  t.strictSame(namesIn({ ...endpoint, OTEL_METRICS_EXPORTER: 'otlp' }), []);
  t.end();
});
