// Runs the OpenTelemetry Collector of this folder, and reads what it prints.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { buildGoProgram } from '../../bench/peers/go-program.ts';
import { pause } from '../support/pause.ts';

export interface Attributes {
  readonly [key: string]: string;
}

/** A point of the connector's `traces.span.metrics.calls`. */
export interface Calls {
  readonly attributes: Attributes;
  readonly count: number;
}

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly traceState: string;
  readonly attributes: Attributes;
  readonly resource: Attributes;
}

export interface Collector {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Everything received so far. */
  readonly spans: readonly ReceivedSpan[];
  /** The connector's counts, as of its last flush. */
  readonly calls: () => readonly Calls[];
  /** Resolves when another line was printed. */
  readonly next: () => Promise<unknown>;
  readonly stop: () => Promise<void>;
}

/** Path of the program; throws as of `buildGoProgram`. */
export const buildCollector = (): string => buildGoProgram('otelcol');

export async function startCollector(): Promise<Collector> {
  const [grpcPort, httpPort] = (await freePorts(2)) as [number, number];
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-otelcol-'));
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify(configuration(grpcPort, httpPort)));
  const child = spawn(buildCollector(), [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const spans: ReceivedSpan[] = [];
  let calls: readonly Calls[] = [];
  lines.on('line', (line) => {
    const { signal, data } = JSON.parse(line) as Line;
    if (signal === 'traces') spans.push(...spansOf(data));
    else calls = callsOf(data);
  });
  await reachable(httpPort, () => child.exitCode !== null);
  return {
    grpcPort,
    httpPort,
    spans,
    calls: () => calls,
    next: () => once(lines, 'line'),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      rmSync(directory, { recursive: true });
    },
  };
}

function configuration(grpcPort: number, httpPort: number): object {
  return {
    receivers: {
      otlp: {
        protocols: { grpc: { endpoint: `127.0.0.1:${grpcPort}` }, http: { endpoint: `127.0.0.1:${httpPort}` } },
      },
    },
    connectors: {
      span_metrics: {
        metrics_flush_interval: '200ms',
        dimensions: [{ name: 'upstream_cluster.name' }],
        exclude_dimensions: ['span.name'],
      },
    },
    exporters: { printer: {} },
    service: {
      telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
      pipelines: {
        traces: { receivers: ['otlp'], exporters: ['printer', 'span_metrics'] },
        metrics: { receivers: ['span_metrics'], exporters: ['printer'] },
      },
    },
  };
}

async function reachable(port: number, hasEnded: () => boolean): Promise<void> {
  for (;;) {
    if (hasEnded()) throw new Error('the collector ended before it was ready');
    const socket = connect(port, '127.0.0.1');
    const [isThere] = await Promise.race([
      once(socket, 'connect').then(() => [true]),
      once(socket, 'error').then(() => [false]),
    ]).catch(() => [false]);
    socket.destroy();
    if (isThere) return;
    await pause();
  }
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string; readonly boolValue?: boolean };
}
interface OtlpSpan extends Omit<ReceivedSpan, 'attributes' | 'resource' | 'parentSpanId' | 'traceState'> {
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly attributes?: readonly KeyValue[];
}
interface Line {
  readonly signal: 'traces' | 'metrics';
  readonly data: {
    readonly resourceSpans?: readonly {
      readonly resource: { readonly attributes?: readonly KeyValue[] };
      readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
    }[];
    readonly resourceMetrics?: readonly {
      readonly scopeMetrics: readonly {
        readonly metrics: readonly {
          readonly name: string;
          readonly sum?: {
            readonly dataPoints: readonly { readonly attributes: readonly KeyValue[]; readonly asInt: string }[];
          };
        }[];
      }[];
    }[];
  };
}

function spansOf({ resourceSpans = [] }: Line['data']): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        parentSpanId: span.parentSpanId ?? '',
        traceState: span.traceState ?? '',
        attributes: attributesOf(span.attributes),
        resource: attributesOf(resource.attributes),
      })),
    ),
  );
}

function callsOf({ resourceMetrics = [] }: Line['data']): Calls[] {
  return resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .filter(({ name }) => name.endsWith('.calls'))
    .flatMap(({ sum }) => sum?.dataPoints ?? [])
    .map(({ attributes, asInt }) => ({ attributes: attributesOf(attributes), count: Number(asInt) }));
}

function attributesOf(list: readonly KeyValue[] = []): Attributes {
  return Object.fromEntries(
    list.map(({ key, value }) => [key, String(value.stringValue ?? value.intValue ?? value.boolValue ?? '')]),
  );
}
