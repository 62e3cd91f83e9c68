// The admin interface: Envoy's paths in Envoy's formats, and a page for people.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin
//
// It runs on the main thread, so that a large answer never delays a request. What changes something is POST only and not
// taken from a page of another origin: a link, an image or a form elsewhere must not be able to stop a proxy.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { formatAddress, type PipeAddress } from '../../config/address.ts';
import type { Admin } from '../../config/bootstrap.ts';
import { Errno } from '../../native/errno.ts';
import { close, connect } from '../../native/socket.ts';
import { createUnixSocket } from '../../native/unix-message.ts';
import { describeListenFailure } from '../listener/listen-failure.ts';
import { compileStringMatcher, type StringPredicate } from '../route/string-matcher.ts';
import type { ProcessStats } from '../telemetry/process-stats.ts';
import type { AdminAccessLog, AdminExchange } from './access-log.ts';
import { type AdminAnswer, failure } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { contentSecurityPolicy } from './page.ts';
import { processFacts } from './process-facts.ts';
import { isForeignChange, isOwnHost } from './request-origin.ts';
import { type AdminRoute, adminRoutes, helpText } from './routes.ts';

export interface AdminServerOptions extends Omit<AdminContext, 'refreshStats'> {
  readonly admin: Admin;
  readonly processStats: ProcessStats;
  /** Absent: requests are not logged. */
  readonly accessLog?: Pick<AdminAccessLog, 'begin'> | undefined;
  /** A connection on which nothing moves for so long is closed; default one minute. */
  readonly idleTimeoutMs?: number;
}

export interface ListenOptions {
  /** A socket that listens on the address already; it becomes the server's. */
  readonly descriptor?: number | undefined;
  readonly onListening?: (address: string) => void;
}

/** Connections at a time: probes, scrapers and a few people. More is a fault, and must not eat file descriptors. */
const connectionLimit = 256;
/** Form values of `/runtime_modify`; no other body is wanted. */
const bodyLimitBytes = 64 * 1024;
const defaultIdleTimeoutMs = 60_000;

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #context: AdminContext;
  readonly #server: Server;
  readonly #routes: ReadonlyMap<string, AdminRoute> = new Map(adminRoutes.map((route) => [route.path, route]));

  /** Null: every path may be asked. */
  readonly #allowedPaths: readonly StringPredicate[] | null;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#allowedPaths = options.admin.allowedPaths?.map(compileStringMatcher) ?? null;
    const refreshStats = (): void => options.processStats.refresh(processFacts(options));
    this.#context = { ...options, refreshStats };
    const idleTimeoutMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
    this.#server = createServer(
      {
        maxHeaderSize: 16 * 1024,
        headersTimeout: idleTimeoutMs,
        requestTimeout: idleTimeoutMs,
        keepAliveTimeout: idleTimeoutMs,
        connectionsCheckingInterval: Math.min(idleTimeoutMs, 5000),
      },
      (request, response) => this.#receive(request, response),
    );
    this.#server.maxConnections = connectionLimit;
    // Also the end of a client that does not read a large answer.
    this.#server.setTimeout(idleTimeoutMs);
    this.#server.on('error', (error) => this.#onError(error));
  }

  /** Begins to listen; `onListening` gets the address with the port that the kernel gave. */
  listen({ descriptor, onListening }: ListenOptions = {}): void {
    const { address } = this.#options.admin;
    const listening = (): void => {
      const bound = this.#server.address();
      const name =
        bound === null || typeof bound === 'string'
          ? (bound ?? '')
          : formatAddress({ kind: 'ip', ip: bound.address, port: bound.port });
      this.#options.log.component('admin').info({ address: name }, 'admin interface is listening');
      onListening?.(name);
    };
    if (descriptor !== undefined) this.#server.listen({ fd: descriptor }, listening);
    else if (address.kind === 'pipe') this.#listenOnPipe(address, listening);
    else this.#server.listen(address.port, address.ip, listening);
  }

  // A socket file that an earlier process left is replaced; any other file is left alone.
  #listenOnPipe(address: PipeAddress, listening: () => void): void {
    const { path, mode } = address;
    // A leading @ is the abstract namespace, which the kernel spells with a NUL.
    if (path.startsWith('@')) {
      this.#server.listen(path.replace('@', '\0'), listening);
      return;
    }
    try {
      if (isLeftBehind(address)) unlinkSync(path);
      this.#server.listen(path, listening);
      if (mode !== undefined && this.#server.listening) chmodSync(path, mode);
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  openConnections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  }

  /** Gives the address to another process; who waits for an answer gets it. */
  leave(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  // A process whose admin address is taken does not start. Later errors, such as no free descriptor for a client, are
  // that client's alone.
  #onError(error: Error): void {
    const log = this.#options.log.component('admin');
    if (this.#server.listening) {
      log.warn(`an admin connection was not accepted: ${error.message}`);
      return;
    }
    const address = formatAddress(this.#options.admin.address);
    const { errno } = error as NodeJS.ErrnoException;
    const reason = errno === undefined ? error.message : describeListenFailure(-errno, this.#options.admin.address);
    log.critical(`the admin interface cannot listen on ${address}: ${reason}`);
    process.exit(1);
  }

  // A body that is too large is read to its end, so that the client hears why, but not kept; `requestTimeout` ends it.
  #receive(request: IncomingMessage, response: ServerResponse): void {
    const exchange = this.#options.accessLog?.begin(request, response) ?? null;
    let body = '';
    let isTooLarge = false;
    request.setEncoding('latin1');
    request.on('data', (text: string) => {
      isTooLarge ||= body.length + text.length > bodyLimitBytes;
      if (!isTooLarge) body += text;
    });
    request.on('end', () => {
      if (isTooLarge)
        send({ response, exchange }, failure(413, `a body of more than ${bodyLimitBytes} bytes is not taken\n`));
      else this.#answer(request, { response, exchange }, body);
    });
    // A client that goes away before its answer is nobody's fault.
    request.on('error', () => response.destroy());
  }

  // A fault of one answer must not end the process, whose data plane works.
  #answer(request: IncomingMessage, to: AnswerTarget, body: string): void {
    const report = (error: unknown): void => {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.log.component('admin').critical(`${request.method} ${request.url} failed: ${what}`);
      if (to.response.headersSent) to.response.destroy();
      else send(to, failure(500, 'the answer could not be made; the log says why\n'));
    };
    try {
      send(to, this.#answerOf(request, body), report);
    } catch (error) {
      report(error);
    }
  }

  #answerOf({ url = '/', method, headers }: IncomingMessage, body: string): AdminAnswer {
    const mark = url.indexOf('?');
    // With its query, in the words of Envoy.
    if (this.#allowedPaths?.every((matches) => !matches(url))) {
      return failure(403, `request to path ${url} not allowed`);
    }
    const path = mark < 0 ? url : url.slice(0, mark);
    const route = this.#routes.get(path);
    if (route === undefined) return failure(404, `invalid path. ${helpText()}`);
    if (route.changes && method !== 'POST') return failure(405, `Method ${method} not allowed, POST required.`);
    if (route.changes && isForeignChange(headers)) {
      return failure(403, 'a page of another origin may not change anything\n');
    }
    if (route.isForPeople && !isOwnHost(headers.host)) return failure(403, strangeName);
    const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
    return route.answer(this.#context, {
      query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
      form: new URLSearchParams(isForm ? body : ''),
      accept: headers.accept ?? '',
    });
  }
}

/** A socket at which nobody listens any more: one of a living process, which Envoy takes from it, is an address in use. */
function isLeftBehind(address: PipeAddress): boolean {
  if (lstatSync(address.path, { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const fd = createUnixSocket('stream');
  if (fd < 0) return false;
  const result = connect(fd, address);
  close(fd);
  return result === -Errno.ECONNREFUSED;
}

const strangeName =
  'this page is shown under an address or localhost only: forward the port, as with kubectl port-forward\n';

interface AnswerTarget {
  readonly response: ServerResponse;
  /** Null: nothing is logged. */
  readonly exchange: AdminExchange | null;
}

function send(to: AnswerTarget, answer: AdminAnswer, onFailure?: (error: unknown) => void): void {
  const headers = {
    'content-type': answer.type,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    ...(answer.type.startsWith('text/html') ? { 'content-security-policy': contentSecurityPolicy } : {}),
    server: 'outrigger',
  };
  to.exchange?.onResponse(answer.status, headers);
  to.response.writeHead(answer.status, headers);
  if (typeof answer.body === 'string') {
    to.exchange?.onResponseBody(answer.body);
    to.response.end(answer.body);
  } else {
    sendPieces(to, answer.body, onFailure);
  }
}

/** What else the main thread has to do is held up no longer by an answer. */
const turnMs = 10;

// Large answers are made as they are sent: the next piece when the last was taken, and others had their turn.
function sendPieces(to: AnswerTarget, pieces: Generator<string>, onFailure?: (error: unknown) => void): void {
  const { response, exchange } = to;
  const next = (): void => {
    const beganMs = performance.now();
    try {
      for (let piece = pieces.next(); !piece.done; piece = pieces.next()) {
        if (response.destroyed) return;
        exchange?.onResponseBody(piece.value);
        if (piece.value !== '' && !response.write(piece.value)) {
          response.once('drain', next);
          return;
        }
        if (performance.now() - beganMs < turnMs) continue;
        setImmediate(next);
        return;
      }
      response.end();
    } catch (error) {
      onFailure?.(error);
    }
  };
  next();
}
