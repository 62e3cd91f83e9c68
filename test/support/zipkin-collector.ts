// A stand-in for a Zipkin server: takes spans as JSON or protobuf, and holds them against the rules of Zipkin's API.
// https://github.com/openzipkin/zipkin-api (zipkin2-api.yaml, zipkin.proto)

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import protobuf from 'protobufjs';
import type { Test } from 'tap';
import { startHttpOrigin } from './http-origin.ts';
import { strictReader } from './strict-reader.ts';

/** As it stands in JSON. */
export interface CollectedZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly [field: string]: unknown;
}

export interface ZipkinCollector {
  readonly port: number;
  readonly paths: readonly string[];
  /** All until now. */
  readonly spans: readonly CollectedZipkinSpan[];
  /** All spans, once there are `count` at least. */
  spansAfter(count: number): Promise<readonly CollectedZipkinSpan[]>;
  /** Resolves when the condition holds, now or after some request. */
  until(isMet: (spans: readonly CollectedZipkinSpan[]) => boolean): Promise<void>;
}

/** `takesAll`: also what the API forbids, as of Envoy, which sends ports that are 0. */
export async function startZipkinCollector(t: Test, takesAll = false): Promise<ZipkinCollector> {
  const spans: CollectedZipkinSpan[] = [];
  const paths: string[] = [];
  let waiting: (() => void)[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const isJson = request.headers['content-type'] === 'application/json';
    const list = isJson ? JSON.parse(body.toString()) : decodeZipkin(body);
    paths.push(request.url ?? '');
    const problems = takesAll ? [] : list.flatMap(zipkinProblems);
    t.same(problems, [], 'spans are as the API asks');
    spans.push(...list);
    response.writeHead(problems.length === 0 ? 202 : 400).end();
    const resolvers = waiting;
    waiting = [];
    for (const resolve of resolvers) resolve();
  };
  const until = async (isMet: (spans: readonly CollectedZipkinSpan[]) => boolean): Promise<void> => {
    while (!isMet(spans)) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const port = await startHttpOrigin(t, (request, response) => void take(request, response));
  return {
    port,
    paths,
    spans,
    spansAfter: async (count) => {
      await until(() => spans.length >= count);
      return spans;
    },
    until,
  };
}

const spanFields: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['traceId', (value) => isText(value) && /^([0-9a-f]{16}|[0-9a-f]{32})$/.test(value) && !/^0+$/.test(value)],
  ['id', (value) => isText(value) && /^[0-9a-f]{16}$/.test(value) && !/^0+$/.test(value)],
  ['parentId', (value) => isText(value) && /^[0-9a-f]{16}$/.test(value) && !/^0+$/.test(value)],
  ['name', (value) => isText(value) && value !== ''],
  ['kind', (value) => ['CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'].includes(value as string)],
  ['timestamp', isMicros],
  ['duration', (value) => isWhole(value) && value >= 1],
  ['debug', (value) => typeof value === 'boolean'],
  ['shared', (value) => typeof value === 'boolean'],
  ['localEndpoint', isEndpoint],
  ['remoteEndpoint', isEndpoint],
  ['annotations', (value) => Array.isArray(value) && value.every(isAnnotation)],
  ['tags', (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText)],
]);

/** What the API's description forbids of a span in JSON, in plain words. */
export function zipkinProblems(span: unknown): readonly string[] {
  if (typeof span !== 'object' || span === null) return ['a span is an object'];
  const problems = ['traceId', 'id'].filter((name) => !(name in span)).map((name) => `${name} is missing`);
  for (const [name, value] of Object.entries(span)) {
    const isRight = spanFields.get(name);
    if (isRight === undefined) problems.push(`${name} is no field of a span`);
    else if (!isRight(value)) problems.push(`${name} may not be ${JSON.stringify(value)}`);
  }
  return problems;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Microseconds of this century: milliseconds and nanoseconds of it are other numbers. */
function isMicros(value: unknown): boolean {
  return isWhole(value) && value >= 946_684_800_000_000 && value < 4_102_444_800_000_000;
}

function isEndpoint(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const rules: Readonly<Record<string, (value: unknown) => boolean>> = {
    serviceName: (value) => isText(value) && value !== '',
    ipv4: (value) => isText(value) && isIPv4(value),
    // Those of IPv4 within IPv6 go into the other field.
    ipv6: (value) => isText(value) && isIPv6(value) && !/%|^::ffff:\d+\./.test(value),
    port: (value) => isWhole(value) && value > 0 && value < 65_536,
  };
  return Object.entries(value).every(([name, each]) => rules[name]?.(each) === true);
}

function isAnnotation(value: unknown): boolean {
  const { timestamp, value: text, ...others } = value as Record<string, unknown>;
  return isMicros(timestamp) && isText(text) && Object.keys(others).length === 0;
}

const proto = protobuf.parse(`
syntax = "proto3";
message ListOfSpans { repeated Span spans = 1; }
message Span { bytes trace_id = 1; bytes parent_id = 2; bytes id = 3; Kind kind = 4; string name = 5; fixed64 timestamp = 6;
  uint64 duration = 7; Endpoint local_endpoint = 8; Endpoint remote_endpoint = 9; repeated Annotation annotations = 10;
  map<string, string> tags = 11; bool debug = 12; bool shared = 13; }
enum Kind { SPAN_KIND_UNSPECIFIED = 0; CLIENT = 1; SERVER = 2; PRODUCER = 3; CONSUMER = 4; }
message Endpoint { string service_name = 1; bytes ipv4 = 2; bytes ipv6 = 3; int32 port = 4; }
message Annotation { fixed64 timestamp = 1; string value = 2; }
`).root;

/** The spans of a `ListOfSpans` as they would stand in JSON. */
export function decodeZipkin(bytes: Uint8Array): readonly CollectedZipkinSpan[] {
  const list = proto.lookupType('ListOfSpans');
  const { spans = [] } = list.toObject(list.decode(strictReader(bytes)), {
    longs: Number,
    enums: String,
    bytes: Buffer,
  });
  return (spans as Record<string, unknown>[]).map(
    (span) => JSON.parse(JSON.stringify(span, textOf)) as CollectedZipkinSpan,
  );
}

function textOf(name: string, value: unknown): unknown {
  // A buffer has been made an object by its own `toJSON`.
  const { type, data } = (value ?? {}) as { readonly type?: unknown; readonly data?: number[] };
  if (type !== 'Buffer' || data === undefined) return value;
  if (name === 'ipv4') return data.join('.');
  const hex = Buffer.from(data).toString('hex');
  return name === 'ipv6' ? hex.replace(/....(?=.)/g, '$&:') : hex;
}
