// Where the proxies send their spans: nginx on the load generator's core, which reads what is posted and says yes. It
// keeps the bodies in memory (tmpfs) when asked to, and they are read when the load is over.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { awaitFirstAnswer } from '../load/first-answer.ts';
import { freePorts } from './free-ports.ts';
import { NGINX_BINARY, nginxScratchPaths, nginxUserDirective } from './nginx.ts';
import { LOAD_CORE, startPinned } from './pinned-process.ts';

const READY_DEADLINE_MS = 5_000;
const GZIP_MAGIC = 0x1f;

export type CollectedSpan = {
  // Hex.
  readonly traceId: string;
  readonly traceState: string;
  readonly attributes: Readonly<Record<string, string>>;
};

export type SpanCollector = {
  readonly port: number;
  // Of all that was kept. Throws on what is no export of spans.
  readonly spans: () => readonly CollectedSpan[];
  readonly stop: () => Promise<void>;
};

export async function startSpanCollector({ keeps }: { readonly keeps: boolean }): Promise<SpanCollector> {
  const directory = mkdtempSync('/dev/shm/outrigger-bench-collector-');
  const bodies = join(directory, 'bodies');
  mkdirSync(bodies, { mode: 0o777 });
  const [port] = (await freePorts(1)) as [number];
  writeFileSync(join(directory, 'nginx.conf'), configuration({ directory, bodies, port, keeps }));
  const command = [NGINX_BINARY, '-p', directory, '-c', join(directory, 'nginx.conf')];
  const child = startPinned(command, { core: LOAD_CORE, directory });
  await awaitFirstAnswer({ port, authority: 'collector', deadlineMs: READY_DEADLINE_MS, process: child });
  return {
    port,
    spans: () => readdirSync(bodies, { recursive: true, withFileTypes: true }).flatMap(spansIn),
    stop: async () => {
      await child.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

type Place = { readonly directory: string; readonly bodies: string; readonly port: number; readonly keeps: boolean };

function configuration({ directory, bodies, port, keeps }: Place): string {
  return `
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
${nginxUserDirective()}
daemon off; worker_processes 1;
pid ${directory}/pid; error_log ${directory}/error.log warn;
events { worker_connections 1024; }
http {
  ${nginxScratchPaths(directory).replace(/client_body_temp_path [^;]*;/, `client_body_temp_path ${bodies};`)}
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; client_max_body_size 64m;
  client_body_buffer_size 1m; default_type application/x-protobuf;
  server {
    listen 127.0.0.1:${port};
    location / { client_body_in_file_only ${keeps ? 'on' : 'off'}; echo_read_request_body; echo -n ""; }
  }
}
`;
}

// The fields that are looked at, by their numbers in opentelemetry/proto/trace/v1/trace.proto.
const exported = protobuf
  .parse(`syntax = "proto3";
  message Export { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { repeated ScopeSpans scope_spans = 2; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span { bytes trace_id = 1; string trace_state = 3; repeated KeyValue attributes = 9; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; } }
`)
  .root.lookupType('Export');

type Decoded = {
  readonly resourceSpans?: readonly {
    readonly scopeSpans?: readonly {
      readonly spans?: readonly {
        readonly traceId: string;
        readonly traceState?: string;
        readonly attributes?: readonly { readonly key: string; readonly value?: Readonly<Record<string, unknown>> }[];
      }[];
    }[];
  }[];
};

function spansIn(file: { readonly name: string; readonly parentPath: string; isFile(): boolean }): CollectedSpan[] {
  if (!file.isFile()) return [];
  const body = readFileSync(join(file.parentPath, file.name));
  // What is asked to learn whether the collector is there has no body.
  if (body.length === 0) return [];
  const message = exported.decode(body[0] === GZIP_MAGIC ? gunzipSync(body) : body);
  const { resourceSpans = [] } = exported.toObject(message, { bytes: String, longs: String }) as Decoded;
  return resourceSpans.flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) =>
      spans.map(({ traceId, traceState = '', attributes = [] }) => ({
        traceId: Buffer.from(traceId, 'base64').toString('hex'),
        traceState,
        attributes: Object.fromEntries(
          attributes.map(({ key, value = {} }) => [key, String(Object.values(value)[0] ?? '')]),
        ),
      })),
    ),
  );
}
