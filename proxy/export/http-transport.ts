// Requests by HTTP/1.1 POST on kept connections: OTLP over HTTP/protobuf, and Zipkin.
//
// Node's own client, because the exporters of OpenTelemetry keep one URL for life, while the members of a cluster change.
// Whether a request is worth another attempt is the same rule for both protocols.
// https://opentelemetry.io/docs/specs/otlp/#failures-1

import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, type NetConnectOpts } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { longestTimerMs } from '../../config/timer-limit.ts';
import type { CollectorAddress, CollectorEndpoint, EndpointTls } from './collector-address.ts';
import { EndpointConnections } from './endpoint-connections.ts';
import { type AttemptLimits, type AttemptResult, maxAnswerBytes, type Transport } from './transport.ts';

export interface HttpTransportOptions {
  readonly path: string;
  /** Lower-case names; `host` is the authority. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, for a `Retry-After` with a date. */
  readonly wallClock: () => number;
}

/** An idle connection is closed before a collector does; Go's servers wait for minutes. */
const idleMs = 30_000;
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;
  readonly #agents: EndpointConnections<Agent>;
  #isClosed = false;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#agents = new EndpointConnections(
      ({ tls }) => makeAgent(tls, options.headers['host'] ?? ''),
      (agent) => this.#leave(agent),
    );
  }

  attempt(endpoint: CollectorEndpoint, body: Uint8Array, limits: AttemptLimits): Promise<AttemptResult> {
    const { path, headers } = this.#options;
    const { promise, resolve } = Promise.withResolvers<AttemptResult>();
    const call = request({
      ...placeOf(endpoint.address),
      method: 'POST',
      path,
      headers: { ...headers, 'content-length': body.length },
      agent: this.#agents.of(endpoint),
      signal: limits.signal,
    });
    const stopTimers = startTimers(call, limits);
    let answer: AttemptResult | null = null;
    call.once('response', (response) =>
      this.#read(response, (result) => {
        answer = result;
        // Some answer before they have read all. One that took it reads the rest, and until then `body` is needed.
        if (call.writableFinished) resolve(result);
        else if (result.kind === 'accepted') call.once('finish', () => resolve(result));
        else call.destroy();
      }),
    );
    call.on('error', (error) => resolve(answer ?? { kind: 'try-again', reason: error.message }));
    // Also of an answer that was cut.
    call.once('close', () => {
      stopTimers();
      resolve(answer ?? { kind: 'try-again', reason: 'the connection was closed before the answer' });
    });
    call.end(body);
    return promise;
  }

  retain(endpoints: readonly CollectorEndpoint[]): void {
    this.#agents.retain(endpoints);
  }

  close(): void {
    this.#isClosed = true;
    this.#agents.retain([]);
  }

  // What is on its way goes on, and then its connection closes by itself.
  #leave(agent: Agent): void {
    if (this.#isClosed) agent.destroy();
  }

  #read(response: IncomingMessage, resolve: (result: AttemptResult) => void): void {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (): void => resolve(this.#resultOf(response, Buffer.concat(chunks)));
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxAnswerBytes) {
        chunks.push(chunk);
        return;
      }
      // What it said until now tells enough, and the rest is not read.
      finish();
      response.destroy();
    });
    response.once('end', finish);
    // An answer that is cut is told by the request's `close`.
    response.once('error', ignore);
  }

  #resultOf({ statusCode = 0, headers }: IncomingMessage, answer: Uint8Array): AttemptResult {
    if (statusCode >= 200 && statusCode < 300) return { kind: 'accepted', answer };
    const reason = `it answered ${statusCode}`;
    if (!retryable.has(statusCode)) return { kind: 'refused', reason };
    const afterMs = retryAfterMs(headers['retry-after'], this.#options.wallClock());
    return { kind: 'try-again', reason, ...(afterMs !== undefined && { afterMs }) };
  }
}

/** Seconds, or a date (RFC 9110 section 10.2.3); undefined when it is neither. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
  // All forms of a date name the day; otherwise the parser takes nearly anything.
  if (!/^\s*[A-Z][a-z]{2}/.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(date - nowMs, 0);
}

/** Connections to one endpoint. */
function makeAgent(tls: EndpointTls | undefined, authority: string): Agent {
  const agent = new Agent({ keepAlive: true, timeout: idleMs, scheduling: 'lifo' });
  if (tls === undefined) return agent;
  agent.createConnection = (options, onCreated) => {
    const give = onCreated as (error: Error | null, socket?: TLSSocket) => void;
    // A request that was given up meanwhile destroys what it gets.
    connectSecurely(options as NetConnectOpts, tls, authority).then((socket) => give(null, socket), give);
    return undefined;
  };
  return agent;
}

async function connectSecurely(options: NetConnectOpts, tls: EndpointTls, authority: string): Promise<TLSSocket> {
  const { secureConnection } = await import('./collector-tls.ts');
  return secureConnection(connect(options), tls, { authority, protocol: 'http/1.1' });
}

function placeOf(address: CollectorAddress): RequestOptions {
  switch (address.kind) {
    case 'ip':
      return { host: address.ip, port: address.port };
    case 'host':
      return { host: address.hostname, port: address.port };
    case 'pipe':
      // A zero in front is how the system has the abstract namespace.
      return { socketPath: address.path.replace(/^@/, '\0') };
  }
}

function startTimers(call: ClientRequest, { connectMs, answerMs }: AttemptLimits): () => void {
  const giveUpAfter = (limitMs: number, what: string): NodeJS.Timeout =>
    setTimeout(() => call.destroy(new Error(`no ${what} within ${limitMs} ms`)), Math.min(limitMs, longestTimerMs));
  const answer = giveUpAfter(answerMs, 'answer');
  // Over TLS there is a socket when the handshake is done.
  const connection = giveUpAfter(connectMs, 'connection');
  call.once('socket', (socket) => {
    if (socket.connecting) socket.once('connect', () => clearTimeout(connection));
    else clearTimeout(connection);
  });
  return () => {
    clearTimeout(answer);
    clearTimeout(connection);
  };
}

function ignore(): void {}
