// Asks the health service of a gRPC server once (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), for
// probes of kind grpc. Its two messages are of one field each. By Node's HTTP/2, since a probe leaves from an address of its
// own, which a channel of grpc-js cannot.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md

import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect, isIPv6 } from 'node:net';
import { leavingFrom } from './probe-source.ts';

export interface GrpcHealthQuestion {
  readonly host: string;
  readonly port: number;
  /** Address that is asked from; the kernel's choice when it is undefined. */
  readonly source: string | undefined;
  /** Empty for the server as a whole. */
  readonly service: string;
  readonly timeoutMs: number;
}

export type GrpcHealth =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** Of `HealthCheckResponse`. */
export const SERVING = 1;

/** In clear text, as the kubelet asks. Never rejects. */
export function checkGrpcHealth(question: GrpcHealthQuestion): Promise<GrpcHealth> {
  const { host, port, source, service, timeoutMs } = question;
  const { promise, resolve } = Promise.withResolvers<GrpcHealth>();
  const session = connectHttp2(`http://${isIPv6(host) ? `[${host}]` : host}:${port}`, {
    createConnection: () => connect({ host, port, ...leavingFrom(source) }),
    settings: { enablePush: false },
  });
  const timer = setTimeout(() => end({ kind: 'failed', reason: `no answer within ${timeoutMs} ms` }), timeoutMs);
  const end = (health: GrpcHealth): void => {
    clearTimeout(timer);
    session.destroy();
    resolve(health);
  };
  session.on('error', ({ message }) => end({ kind: 'failed', reason: message }));
  readAnswer(ask(session, service), end);
  return promise;
}

function ask(session: ClientHttp2Session, service: string): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'kube-probe/outrigger',
  });
  const message = encodeName(service);
  const head = Buffer.alloc(PREFIX_BYTES);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  return stream;
}

function readAnswer(stream: ClientHttp2Stream, end: (health: GrpcHealth) => void): void {
  let message = Buffer.alloc(0);
  let status: string | undefined;
  let text = '';
  const takeStatus = (headers: Readonly<Record<string, unknown>>): void => {
    status ??= headers['grpc-status'] as string | undefined;
    text ||= decoded(String(headers['grpc-message'] ?? ''));
  };
  stream.on('response', (headers) => {
    takeStatus(headers);
    if (headers[':status'] !== 200) end({ kind: 'failed', reason: `it answered ${headers[':status']}` });
  });
  stream.on('trailers', takeStatus);
  stream.on('data', (chunk: Buffer) => {
    message = Buffer.concat([message, chunk]);
    if (message.length > LONGEST_ANSWER_BYTES) end({ kind: 'failed', reason: 'its answer is too long' });
  });
  stream.on('error', (error) => end({ kind: 'failed', reason: error.message }));
  stream.on('close', () => {
    if (status === '0') end({ kind: 'status', status: statusOf(message) });
    else end({ kind: 'failed', reason: text === '' ? `gRPC status ${status ?? 'is missing'}` : text });
  });
}

/** Bytes of UTF-8 other than printable ASCII come as `%20`. */
function decoded(text: string): string {
  const bytes = text.replaceAll(/%([0-9a-f]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}

/** `HealthCheckRequest`. */
function encodeName(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const head = [0x0a];
  for (let rest = name.length; ; rest >>>= 7) {
    head.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  return Buffer.concat([Buffer.from(head), name]);
}

/** `HealthCheckResponse` behind its prefix: one enum, which is not there when it is 0. */
function statusOf(answer: Buffer): number {
  const response = answer.subarray(PREFIX_BYTES);
  return response.length === 2 && response[0] === 0x08 ? response[1]! : 0;
}

/** Whether the message is compressed, which we do not offer; its length. */
const PREFIX_BYTES = 5;
/** Who answers with more is no health service. */
const LONGEST_ANSWER_BYTES = 1024;
