import t, { type Test } from 'tap';
import { readOtlpSettings } from '../../../proxy/export/otlp-settings.ts';

function setEnvironment(t: Test, values: Readonly<Record<string, string>>): void {
  Object.assign(process.env, values);
  t.teardown(() => {
    for (const name of Object.keys(values)) delete process.env[name];
  });
}

t.test('an environment that says nothing leaves what OpenTelemetry specifies', async (t) => {
  t.same(await readOtlpSettings('traces'), { headers: [], usesGzip: false, timeoutMs: 10_000 });
});

t.test('what it says of one signal counts for that signal, before what it says of all', async (t) => {
  setEnvironment(t, {
    OTEL_EXPORTER_OTLP_TIMEOUT: '2000',
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '3000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_METRICS_COMPRESSION: 'none',
    OTEL_EXPORTER_OTLP_HEADERS: 'X-Key=all',
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'X-Key=logs',
  });
  t.same(await readOtlpSettings('traces'), { headers: [['x-key', 'all']], usesGzip: true, timeoutMs: 3000 });
  t.same(await readOtlpSettings('metrics'), { headers: [['x-key', 'all']], usesGzip: false, timeoutMs: 2000 });
  t.same(await readOtlpSettings('logs'), { headers: [['x-key', 'logs']], usesGzip: true, timeoutMs: 2000 });
});

t.test('values that are wrong are as good as none', async (t) => {
  setEnvironment(t, {
    OTEL_EXPORTER_OTLP_TIMEOUT: '-5',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'bogus',
    OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz,=b,c',
  });
  t.same(await readOtlpSettings('traces'), { headers: [], usesGzip: false, timeoutMs: 10_000 });
});
