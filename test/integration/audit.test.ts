// `outrigger audit` on spans that a proxy exported. No connection is of mutual TLS yet, so that it must say that nothing is
// proved; what it says of chains is the business of `test/proxy/audit/trust-audit.test.ts`.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { type CollectedSpan, startOtlpCollector } from '../support/otlp-collector.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';

const root = join(import.meta.dirname, '../..');

/** As collectors write files: OTLP in JSON, an export a line. */
function lineOf({ traceId, spanId, parentSpanId, name, kind, attributes, resource }: CollectedSpan): string {
  const pairs = (values: CollectedSpan['attributes']) =>
    Object.entries(values).flatMap(([key, value]) =>
      typeof value === 'string' ? [{ key, value: { stringValue: value } }] : [],
    );
  const span = { traceId, spanId, parentSpanId, name, kind, attributes: pairs(attributes) };
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: pairs(resource) }, scopeSpans: [{ spans: [span] }] }],
  });
}

t.test('calls over plain connections are shown as calls that nobody proved', async (t) => {
  const collector = await startOtlpCollector(t);
  const port = await startNamedOrigin(t, 'body');
  const provider = {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
      http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '1s' } },
      service_name: 'shop',
    },
  };
  const chain = httpFilterChain('app', { tracing: { provider, spawn_upstream_span: true } });
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [chain] }];
  const clusters = [clusterAt('app', port), clusterAt('collector', collector.httpPort)];
  const proxy = await startSidecar(t, { bootstrap: { static_resources: { listeners, clusters } } });
  get({ port: proxy.port('http'), host: '127.0.0.1' }, (response) => response.resume());

  const spans = await collector.spansAfter(2);
  const file = join(t.testdir(), 'spans.jsonl');
  writeFileSync(file, spans.map(lineOf).join('\n'));
  const audit = (...args: readonly string[]) =>
    spawnSync(process.execPath, ['proxy/audit/main.ts', ...args], { cwd: root, encoding: 'utf8' });
  const { status, stdout, stderr } = audit(file);
  t.equal(status, 1, stderr);
  t.match(stdout, `trace ${spans[0]!.traceId}\n  somebody called shop`);
  t.match(stdout, '\n0 proved, 2 plain, 0 broken\n');
  t.equal(audit('--allow-plain', file).status, 0);
  const missing = audit(join(t.testdirName, 'none'));
  t.equal(missing.status, 2);
  t.match(missing.stderr, /^outrigger audit: ENOENT/);
});
