// The access log of the admin interface (`Admin.access_log`): a line for each request, in the formats and through the filters
// of any other access log. Lines leave at once: few come here, and who looks wants the last one.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto#config-bootstrap-v3-admin

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { LineLog } from '../../config/access-log.ts';
import { formatAddress } from '../../config/address.ts';
import type { Random } from '../../config/random.ts';
import { headerName } from '../http/header-name.ts';
import { RequestHead, ResponseHead } from '../http/message.ts';
import { ResponseFlag, StreamInfo } from '../http/stream-info.ts';
import { type AccessLogger, AccessLogs, type LogBatch } from '../telemetry/access-log.ts';

export interface AdminAccessLogOptions {
  readonly logs: readonly LineLog[];
  readonly write: (batch: LogBatch) => void;
  /** Values that filters ask for. */
  readonly runtime: () => ReadonlyMap<string, string | number | boolean>;
  /** In `x-forwarded-for` for clients on this machine, as in Envoy. */
  readonly localIp: string;
  readonly random: Random;
  /** Monotonic, ms. */
  readonly clock: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
}

type RuntimeValues = Map<string, string | number | boolean>;

export class AdminAccessLog {
  readonly #options: AdminAccessLogOptions;
  readonly #runtime: RuntimeValues = new Map();
  readonly #logs: AccessLogs;
  readonly #loggers: readonly AccessLogger[];
  readonly #connections = new WeakMap<Socket, number>();
  #lastConnection = 0;

  constructor(options: AdminAccessLogOptions) {
    this.#options = options;
    this.#logs = new AccessLogs({
      random: options.random,
      runtime: this.#runtime,
      flushSizeBytes: Number.POSITIVE_INFINITY,
      publish: options.write,
      // The logs are lines: nothing is told to collectors.
      publishEntries: () => undefined,
      onEntries: () => undefined,
    });
    this.#loggers = this.#logs.compile(options.logs);
  }

  /** Notes a request whose head has come, and logs it when its response is over. */
  begin(request: IncomingMessage, response: ServerResponse): AdminExchange {
    const exchange = new AdminExchange(request, this.#options);
    exchange.info.connectionId = this.#connectionId(request.socket);
    request.on('data', (text: string) => exchange.onRequestBody(text));
    request.on('end', () => exchange.onRequestEnd(this.#options.clock()));
    response.on('close', () => {
      exchange.onEnd(this.#options.clock(), response.writableFinished);
      this.#log(exchange);
    });
    return exchange;
  }

  #connectionId(socket: Socket): number {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    this.#connections.set(socket, ++this.#lastConnection);
    return this.#lastConnection;
  }

  #log({ info, request, response }: AdminExchange): void {
    this.#runtime.clear();
    for (const [key, value] of this.#options.runtime()) this.#runtime.set(key, value);
    const none = { responseTrailers: null, localReplyBody: '' };
    for (const logger of this.#loggers) logger.log({ info, request, response, ...none, logType: 'DownstreamEnd' });
    this.#logs.flush();
  }
}

/** One request of the admin interface, as a log sees it. */
export class AdminExchange {
  readonly info = new StreamInfo();
  readonly request = new RequestHead();
  /** Null before there is one. */
  response: ResponseHead | null = null;
  readonly #socket: Socket;
  readonly #writtenBefore: number;

  constructor(request: IncomingMessage, { clock, wallClock, localIp }: AdminAccessLogOptions) {
    this.#socket = request.socket;
    this.#writtenBefore = this.#socket.bytesWritten;
    const { info } = this;
    info.startWallMs = wallClock();
    info.startedAtMs = clock();
    info.protocol = request.httpVersion === '1.0' ? 'HTTP/1.0' : 'HTTP/1.1';
    const remoteIp = plainIp(this.#socket.remoteAddress);
    // A Unix socket has no addresses.
    if (remoteIp !== '') {
      info.downstreamRemoteAddress = addressText(remoteIp, this.#socket.remotePort);
      info.downstreamDirectRemoteAddress = info.downstreamRemoteAddress;
      info.downstreamLocalAddress = addressText(plainIp(this.#socket.localAddress), this.#socket.localPort);
    }
    this.#takeHead(request);
    this.#forward(remoteIp.startsWith('127.') || remoteIp === '::1' || remoteIp === '' ? localIp : remoteIp);
  }

  onRequestBody(text: string): void {
    this.info.requestBodyBytes += Buffer.byteLength(text, 'latin1');
  }

  onRequestEnd(nowMs: number): void {
    this.info.requestEndAtMs = nowMs;
  }

  /** The head of the response, before it is sent. */
  onResponse(status: number, headers: { readonly [name: string]: string }): void {
    const response = new ResponseHead();
    response.status = status;
    for (const [name, value] of Object.entries(headers)) response.headers.append(name, value);
    this.response = response;
    this.info.responseCode = status;
    this.info.responseCodeDetails = 'admin_filter_response';
  }

  /** A part of its body; one for HEAD counts too, as in Envoy. */
  onResponseBody(text: string): void {
    this.info.responseBodyBytes += Buffer.byteLength(text);
  }

  onEnd(nowMs: number, isWhole: boolean): void {
    this.info.endedAtMs = nowMs;
    const written = this.#socket.bytesWritten - this.#writtenBefore;
    this.info.responseHeaderBytes = Math.max(0, written - this.info.responseBodyBytes);
    if (!isWhole) this.info.responseFlags |= ResponseFlag.downstreamConnectionTermination;
  }

  #takeHead({ method = '', url = '', headers, rawHeaders }: IncomingMessage): void {
    const { request, info } = this;
    request.method = method;
    request.path = url;
    request.authority = headers.host ?? '';
    let bytes = `${method} ${url} HTTP/1.1\r\n\r\n`.length;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]!;
      const value = rawHeaders[at + 1]!;
      request.headers.append(name, value);
      bytes += name.length + value.length + 4;
    }
    info.requestHeaderBytes = bytes;
  }

  // As Envoy's connection manager adds them before its admin filter.
  #forward(client: string): void {
    const { headers } = this.request;
    const received = headers.get(forwardedFor);
    headers.set(forwardedFor, received === undefined ? client : `${received},${client}`);
    headers.set(forwardedProto, 'http');
  }
}

const forwardedFor = headerName('x-forwarded-for');
const forwardedProto = headerName('x-forwarded-proto');

function addressText(ip: string, port: number | undefined): string {
  return formatAddress({ kind: 'ip', ip, port: port ?? 0 });
}

/** An IPv4 address as such, on a socket of both kinds too. */
function plainIp(ip: string | undefined): string {
  return ip?.replace(/^::ffff:(?=\d+\.)/, '') ?? '';
}
