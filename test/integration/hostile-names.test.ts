// Names and values that break formats, through the whole process into everything that it tells: spans, metrics, access logs and
// the admin interface. Whatever peers send and configurations are called, each output can be read by a parser of its format,
// says one thing for each request, and is bounded.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type AccessLogCollector, type Entry, startAccessLogCollector } from '../support/access-log-collector.ts';
import { parseOpenMetrics } from '../support/openmetrics-parser.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { metricsOf } from '../support/otlp-metrics.ts';
import { parseExposition } from '../support/prometheus-parser.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import {
  clusterAt,
  fileAccessLog,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
} from '../support/sidecar.ts';
import { startZipkinCollector, type ZipkinCollector } from '../support/zipkin-collector.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

/** What separates, quotes, escapes, ends a line or begins an element somewhere. */
const sharp = `"'\\{},=;<script>alert(1)</script>&amp;--># {x="1"} 9\u0085\u2028\u2029\u{1f98a}`;
/** Of a configuration, where no codec forbids anything. */
const name = (what: string): string => `${what}\n1 2\r\t\u001b[31m${sharp}`;

const everyByte = Array.from({ length: 128 }, (_, at) => String.fromCharCode(128 + at)).join('');

/** Values of header fields as latin1 text: each byte that HTTP lets through, and what is and is not UTF-8. */
const values: readonly string[] = [
  Buffer.from(sharp.replace('\u0085', '')).toString('latin1'),
  '%TRACE_ID% $(id) `id` \\u0000 \\n \\x00',
  everyByte,
  ...['\xe2\x80', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xc0\xaf', '\xff\xfe\x00'.slice(0, 2)],
  'a\tb',
  '\x7b"a":1}',
  // Three bytes each: cut anywhere else than after 64 KiB, or there, there is a part of one.
  '\xe2\x82\xac'.repeat(30_000),
];
const paths = [
  '/200',
  '/500',
  '/500?%3Cscript%3E%22%00%0a%0d%e2%80%a8%ff',
  `/200/${'p'.repeat(3000)}`,
  '/grpc',
  '/dead',
];
/** What the codec refuses. It is told of all the same. */
const refused: readonly string[] = [
  "G!#$%&'*+-.^_`|~ /200 HTTP/1.1",
  `${'M'.repeat(300)} /200 HTTP/1.1`,
  'GET /200 HTTP/1.1\r\nx-tag: \x1b[31m',
  'GET /200 HTTP/1.1\r\nx-tag: a\nb',
  'GET /200 HTTP/1.1\r\nx-tag: \x00',
  'GET /\xff\xfe HTTP/1.1',
];

t.test('names and values of peers and configurations break nothing that is told', async (t) => {
  const scene = await start(t);
  const { sidecar, otlp, als, zipkin } = scene;
  let sent = 0;
  for (const listener of ['otlp', 'zipkin']) {
    const port = sidecar.port(listener);
    for (const [at, value] of values.entries()) {
      const path = paths[at % paths.length]!;
      const lines = [`${at % 2 === 0 ? 'GET' : 'POST'} ${path} HTTP/1.1`, ...fieldsWith(value)];
      t.equal(await ask(port, lines), path === '/dead' ? 503 : path.startsWith('/500') ? 500 : 200, `${path} ${at}`);
      sent++;
    }
    for (const start of refused) {
      t.equal(await ask(port, [start, 'host: a']), 400, JSON.stringify(start.slice(0, 30)));
      sent++;
    }
  }
  // Each collector refuses what is not UTF-8.
  await als.entries(sent);
  await otlp.until(() => otlp.spans().filter(({ kind }) => kind === 'SPAN_KIND_SERVER').length >= sent / 2);
  await otlp.until(() => recordsOf(otlp) >= sent);
  await zipkin.until((spans) => spans.filter(({ kind }) => kind === 'SERVER').length >= sent / 2);
  await otlp.until(() => totalOf(otlp) === sent);

  await t.test('spans keep what is sent, up to a bound', (t) => checkSpans(t, scene));
  await t.test('metrics can be scraped in both formats', (t) => checkScrapes(t, scene));
  await t.test('what the admin interface says of sampling and errors is a line each', (t) => checkAdmin(t, scene));
  await t.test('what peers make up makes no series', (t) => checkSeries(t, scene));
  const skip = browser === undefined ? 'no Chromium on this machine' : false;
  await t.test('the live page shows all of it as text', { skip }, (t) => checkPage(t, scene));
  sidecar.process.kill('SIGINT');
  t.equal(await sidecar.ended, 0);
  await t.test('logs have a line for each request', (t) => checkLogs(t, scene, sent + 2 * madeUp));
});

/** Of an attribute, which is cut at a character; and of a name. */
const mostBytes = 65_536;
const mostNameBytes = 1024;

async function checkSpans(t: Test, { otlp, zipkin }: Scene): Promise<void> {
  const texts = (of: Readonly<Record<string, unknown>>) =>
    Object.values(of).filter((value) => typeof value === 'string');
  for (const { attributes, traceState, name } of otlp.spans()) {
    if (Buffer.byteLength(name) > mostNameBytes) t.fail(`a name of ${Buffer.byteLength(name)} bytes`);
    if (traceState.length > 512) t.fail(`a trace state of ${traceState.length} characters`);
    for (const text of texts(attributes))
      if (Buffer.byteLength(text) > mostBytes) t.fail(`${Buffer.byteLength(text)} bytes`);
  }
  const sentTags = otlp.spans().map(({ attributes }) => attributes['sent']);
  t.ok(sentTags.includes(values[1]), 'what looks like a command of a format is a text');
  t.ok(sentTags.includes(sharp.replace('\u0085', '')));
  t.ok(
    sentTags.some((tag) => String(tag) === '\u20ac'.repeat(21_845)),
    '64 KiB of it, and no part of a character',
  );
  t.ok(otlp.spans().some(({ attributes }) => attributes[name('tag')] === withEscapes(name('literal'))));
  t.ok(otlp.spans().every(({ resource }) => resource['service.name'] === name('service')));
  const found = zipkin.spans.map((span) => (span['tags'] as Record<string, string>)[name('tag')]);
  t.ok(found.includes(withEscapes(name('literal'))));
}

async function checkScrapes(t: Test, { sidecar, otlp, zipkin }: Scene): Promise<void> {
  for (const query of ['', '?usedonly']) {
    const metrics = parseExposition(await scrape(sidecar, `/stats/prometheus${query}`));
    const labels = metrics.get('outrigger_requests_total')!.samples.map((sample) => sample.labels);
    t.ok(
      labels.some((each) => each.get('service') === escaped(name('app')) && each.get('route') === escaped(name('app'))),
    );
    const families = parseOpenMetrics(
      await scrape(sidecar, `/stats/prometheus${query}`, 'application/openmetrics-text'),
    );
    const requests = families.get('outrigger_requests')!.samples;
    t.ok(requests.some((sample) => sample.labels.get('service') === name('app')));
    const buckets = families.get('outrigger_request_duration_milliseconds')!.samples;
    const linked = buckets.find(({ labels, exemplar }) => labels.get('service') === name('app') && exemplar);
    const traceId = linked?.exemplar?.labels.get('trace_id');
    t.ok(
      otlp.spans().some((span) => span.traceId === traceId) || zipkin.spans.some((span) => span['traceId'] === traceId),
    );
  }
  for (const path of [
    '/stats?format=json',
    '/stats/prometheus',
    '/metrics/cost?format=json',
    '/sampling?format=json',
  ]) {
    const text = await scrape(sidecar, path);
    if (path.endsWith('json')) t.doesNotThrow(() => JSON.parse(text), path);
  }
}

async function checkAdmin(t: Test, { sidecar }: Scene): Promise<void> {
  const { errors } = JSON.parse(await scrape(sidecar, '/errors?format=json'));
  const lines = (await scrape(sidecar, '/errors')).split('\n');
  t.equal(lines.length, 2 * errors.length + 1);
  for (const line of lines) t.match(line, /^(\d{4}-\d\d-\d\dT[\d:.]{12}Z [0-9a-f]{32} .*| {2}.+|)$/);
  const dead = errors.find((error: { flags: string }) => error.flags.includes('UF'));
  t.match(dead, {
    service: name('dead').replaceAll('\n', '\u2424'),
    route: name('dead').replaceAll('\n', '\u2424'),
    status: 503,
  });
  const { keys } = JSON.parse(await scrape(sidecar, '/sampling?format=json'));
  t.equal((await scrape(sidecar, '/sampling')).split('\n').length, keys.length + 5);
  const shown = `${lines.join('')}${(await scrape(sidecar, '/sampling')).replaceAll('\n', '')}`;
  t.notMatch(shown, /[\p{Cc}\p{Zl}\p{Zp}]/u);
}

/** Hosts, paths, methods, agents and ids by the hundred. */
async function checkSeries(t: Test, { sidecar }: Scene): Promise<void> {
  const port = sidecar.port('otlp');
  const series = async () =>
    (await scrape(sidecar, '/stats/prometheus?usedonly'))
      .split('\n')
      .map((line) => line.replace(/ \S+$/, ''))
      .filter((line) => line.startsWith('outrigger_request'));
  const before = await series();
  t.ok(before.length > 0);
  for (let at = 0; at < madeUp; at++) {
    await ask(port, [`GET /200/${at}?${at} HTTP/1.1`, `host: host${at}`, `user-agent: ${at}`, `x-tag: ${at}`]);
    await ask(port, [`M${at} /200 HTTP/1.1`, 'host: a']);
  }
  t.strictSame(await series(), before);
}

const madeUp = 50;

async function checkPage(t: Test, { sidecar }: Scene): Promise<void> {
  const flags =
    '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=3000 --dump-dom';
  const profile = t.testdir({});
  const url = `http://127.0.0.1:${sidecar.adminPort}/`;
  const child = spawn(browser!, [...flags.split(' '), `--user-data-dir=${profile}`, url]);
  t.teardown(() => child.kill('SIGKILL'));
  let page = '';
  let console = '';
  child.stdout.setEncoding('utf8').on('data', (data) => (page += data));
  child.stderr.setEncoding('utf8').on('data', (data) => (console += data));
  t.same(await once(child, 'close'), [0, null]);
  t.match(page, '&lt;script&gt;alert(1)&lt;/script&gt;');
  t.notMatch(page, '<script>alert');
  t.match(page, /<section id="sampling"[^>]*aria-labelledby="sampling-title">/, 'the keys are shown');
  t.match(page, /<section id="errors-section"[^>]*aria-labelledby="errors-title">/, 'the errors are shown');
  t.notMatch(console, /CONSOLE|Uncaught|Refused to/, 'nothing in the console');
}

async function checkLogs(t: Test, { files, sidecar, als }: Scene, requests: number): Promise<void> {
  await als.until(() => new Set(als.httpEntries.map(connectionOf)).size >= requests);
  t.equal(new Set(als.httpEntries.map(connectionOf)).size, requests);
  // What was on its way when a stream broke comes once more.
  if (als.metadata.length === 1) t.equal(als.httpEntries.length, requests);
  const text = readFileSync(files.text, 'latin1').split('\n').slice(0, -1);
  t.equal(text.length, requests);
  for (const line of text) {
    if (withEscapes(line) !== line || !line.endsWith(' end')) t.fail(JSON.stringify(line));
  }
  const json = utf8.decode(readFileSync(files.json)).split('\n').slice(0, -1);
  t.equal(json.length, requests);
  for (const line of json) t.match(JSON.parse(line), { [name('key')]: name('value') });
  t.ok(json.some((line) => JSON.parse(line).value === sharp.replace('\u0085', '')));
  t.ok(
    sidecar.log.every(({ level }) => level !== 'none'),
    'the process wrote nothing but lines of its log',
  );
}

/** Each request has one of its own. */
function connectionOf({ common_properties }: Entry): string {
  const { downstream_direct_remote_address: address, start_time } = common_properties as Entry;
  return JSON.stringify([address, start_time]);
}

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const utf8 = new TextDecoder('utf-8', { fatal: true });

async function scrape(sidecar: Sidecar, path: string, accept = '*/*'): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.adminPort}${path}`, {
    headers: { accept, connection: 'close' },
  });
  return utf8.decode(await answer.arrayBuffer());
}

/** As logs and tags write what ends a line or moves a terminal. */
function withEscapes(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (character) => {
    const code = character.charCodeAt(0);
    return code === 9 || code > 0x7f ? character : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** As a label stands in the older format. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function recordsOf({ requests }: OtlpCollector): number {
  const logs = requests.filter(({ signal }) => signal === 'logs').flatMap(({ message }) => message['resourceLogs']);
  return (logs as { scopeLogs: { logRecords: unknown[] }[] }[])
    .flatMap(({ scopeLogs }) => scopeLogs)
    .reduce((sum, { logRecords }) => sum + logRecords.length, 0);
}

/** Requests as the last metrics say. */
function totalOf({ requests }: OtlpCollector): number {
  const last = requests.findLast(({ signal }) => signal === 'metrics');
  if (last === undefined) return 0;
  const total = metricsOf(last.message).find((metric) => metric.name === 'outrigger.requests_total');
  return (total?.points ?? []).reduce((sum, { value }) => sum + Number(value), 0);
}

function fieldsWith(value: string): readonly string[] {
  const short = value.slice(0, 200);
  return [
    'host: a.example',
    `x-tag: ${value}`,
    `user-agent: ${value}`,
    `x-request-id: ${short}`,
    `x-forwarded-for: ${short}`,
    `traceparent: 00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
    `tracestate: a=${short}`,
    `x-envoy-decorator-operation: ${value}`,
  ];
}

/** The status of the answer. */
async function ask(port: number, lines: readonly string[]): Promise<number> {
  const client = await RawClient.open(port);
  await client.write(`${[...lines, 'connection: close'].join('\r\n')}\r\n\r\n`);
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(await client.ended())?.[1]);
}

interface Scene {
  readonly sidecar: Sidecar;
  readonly files: { readonly text: string; readonly json: string };
  readonly otlp: OtlpCollector;
  readonly als: AccessLogCollector;
  readonly zipkin: ZipkinCollector;
}

const LOGGERS = 'type.googleapis.com/envoy.extensions.access_loggers';
const collectorService = { grpc_service: { envoy_grpc: { cluster_name: 'collector' } } };
const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

const tags = [
  { tag: name('tag'), literal: { value: name('literal') } },
  { tag: 'sent', request_header: { name: 'x-tag' } },
  { tag: 'formatted', value: '%REQ(x-tag)% %PATH%' },
];

async function start(t: Test): Promise<Scene> {
  const folder = t.testdir();
  const files = { text: join(folder, 'text.log'), json: join(folder, 'json.log') };
  const otlp = await startOtlpCollector(t);
  const als = await startAccessLogCollector();
  t.teardown(() => als.stop());
  const zipkin = await startZipkinCollector(t);
  const sidecar = await startSidecar(t, {
    flags: ['--concurrency', '1'],
    bootstrap: {
      node: { id: name('node'), cluster: name('cluster') },
      static_resources: {
        listeners: ['otlp', 'zipkin'].map((kind) => listenerOf(kind, files)),
        clusters: [
          clusterAt(name('app'), await startOrigin(t)),
          clusterAt(name('dead'), 1),
          clusterAt('collector', otlp.grpcPort, http2),
          clusterAt('als', als.port, http2),
          clusterAt('zipkin', zipkin.port),
        ],
      },
      stats_sinks: [{ name: 'otel', typed_config: { '@type': sinkType, ...collectorService } }],
      stats_flush_interval: '0.5s',
    },
  });
  return { sidecar, files, otlp, als, zipkin };
}

const sinkType = 'type.googleapis.com/envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig';

/** The status is that of the path, and the answer as hostile as the request. */
async function startOrigin(t: Test): Promise<number> {
  const grpc = `content-type: application/grpc\r\ngrpc-status: 1"<b>\r\ngrpc-message: ${everyByte}\r\n`;
  const { port } = await RawOrigin.start(t, (connection) => {
    connection.onText = () => {
      if (!connection.text.includes('\r\n\r\n')) return;
      const status = connection.text.includes(' /500') ? 500 : 200;
      const more = connection.text.includes(' /grpc') ? grpc : '';
      connection.text = '';
      connection.write(`HTTP/1.1 ${status} <b>\r\nx-from: ${everyByte}\r\n${more}content-length: 0\r\n\r\n`);
    };
  });
  return port;
}

function listenerOf(kind: string, files: Scene['files']): object {
  const route = (at: string, prefix: string) => ({
    name: name(at),
    stat_prefix: name(at),
    match: { prefix },
    route: { cluster: name(at) },
  });
  const routes = [route('dead', '/dead'), route('app', '/')];
  const manager = {
    stat_prefix: name('prefix'),
    max_request_headers_kb: 1000,
    tracing: { provider: providerOf(kind), custom_tags: tags, spawn_upstream_span: true },
    access_log: [...fileLogs(files), ...collectedLogs()],
    route_config: {
      name: name('routes'),
      virtual_hosts: [{ name: name('host'), domains: ['*'], routes }],
    },
  };
  return { name: kind, address: socketAddress(0), filter_chains: [httpFilterChain('', manager)] };
}

function providerOf(kind: string): object {
  const type = 'type.googleapis.com/envoy.config.trace.v3';
  if (kind === 'otlp') {
    const typed_config = { '@type': `${type}.OpenTelemetryConfig`, ...collectorService, service_name: name('service') };
    return { name: 'envoy.tracers.opentelemetry', typed_config };
  }
  const typed_config = {
    '@type': `${type}.ZipkinConfig`,
    collector_cluster: 'zipkin',
    collector_endpoint: '/api/v2/spans',
    collector_endpoint_version: 'HTTP_JSON',
  };
  return { name: 'envoy.tracers.zipkin', typed_config };
}

function fileLogs(files: Scene['files']): readonly object[] {
  const formats = {
    value: '%REQ(X-TAG)%',
    route: '%ROUTE_NAME%',
    cluster: '%UPSTREAM_CLUSTER%',
    from: '%RESP(X-FROM)%',
  };
  return [
    fileAccessLog(files.text, `${Object.values(formats).join(' ')} %REQ(:METHOD)% %REQ(:PATH)% end\n`),
    {
      name: 'json',
      typed_config: {
        '@type': `${LOGGERS}.file.v3.FileAccessLog`,
        path: files.json,
        log_format: { json_format: { ...formats, [name('key')]: name('value'), path: '%REQ(:PATH)%' } },
      },
    },
  ];
}

function collectedLogs(): readonly object[] {
  const entries = {
    '@type': `${LOGGERS}.grpc.v3.HttpGrpcAccessLogConfig`,
    common_config: {
      log_name: name('log'),
      transport_api_version: 'V3',
      grpc_service: { envoy_grpc: { cluster_name: 'als' } },
      buffer_flush_interval: '0.05s',
      custom_tags: tags.slice(0, 2),
    },
    additional_request_headers_to_log: ['x-tag'],
    additional_response_headers_to_log: ['x-from'],
  };
  const records = {
    '@type': `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
    ...collectorService,
    log_name: name('log'),
    buffer_flush_interval: '0.05s',
    body: { string_value: `${name('body')} %REQ(X-TAG)%` },
    attributes: { values: [{ key: name('key'), value: { string_value: '%REQ(X-TAG)% %ROUTE_NAME%' } }] },
  };
  return [
    { name: 'als', typed_config: entries },
    { name: 'otel', typed_config: records },
  ];
}
