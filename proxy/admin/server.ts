// The admin interface: Envoy's paths in Envoy's formats, and a page for people.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin
//
// It runs on the main thread, so that a large answer never delays a request. What changes something is POST only: a
// link or an image on a foreign page must not be able to stop a proxy.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { formatAddress } from '../../config/address.ts';
import type { Admin } from '../../config/bootstrap.ts';
import type { ServerState } from '../command/server-state.ts';
import type { ProcessLog } from '../telemetry/process-log.ts';
import type { HistogramBuckets } from '../telemetry/prometheus.ts';
import type { StatsStore } from '../telemetry/stats-store.ts';
import type { WorkerPool } from '../worker/worker-pool.ts';
import { type AdminAnswer, type AdminRequest, type AdminRoute, adminRoutes } from './routes.ts';

export interface AdminContext {
  readonly store: StatsStore;
  readonly state: ServerState;
  readonly pool: WorkerPool;
  readonly log: ProcessLog;
  /** Ends the process in order. */
  readonly shutdown: () => void;
  readonly buckets: HistogramBuckets;
}

export interface AdminServerOptions extends AdminContext {
  readonly admin: Admin;
}

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #routes: ReadonlyMap<string, AdminRoute> = new Map(adminRoutes.map((route) => [route.path, route]));

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 30_000 }, (request, response) =>
      this.#handle(request, response),
    );
    this.#server.on('error', (error) => {
      options.log
        .component('admin')
        .critical(`the admin interface cannot listen on ${formatAddress(options.admin.address)}: ${error.message}`);
      process.exit(1);
    });
  }

  /** Begins to listen; `onListening` gets the address with the port that the kernel gave. */
  listen(onListening?: (address: string) => void): void {
    const { address } = this.#options.admin;
    const listening = (): void => {
      const bound = this.#server.address();
      const text =
        bound === null || typeof bound === 'string'
          ? (bound ?? '')
          : formatAddress({ kind: 'ip', ip: bound.address, port: bound.port });
      this.#options.log.component('admin').info({ address: text }, 'admin interface is listening');
      onListening?.(text);
    };
    if (address.kind === 'pipe') this.#server.listen(address.path, listening);
    else this.#server.listen(address.port, address.ip, listening);
  }

  close(): void {
    this.#server.close();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    // A body is never wanted, and never kept.
    request.resume();
    const url = new URL(request.url ?? '/', 'http://admin');
    const route = this.#routes.get(url.pathname);
    if (route === undefined) {
      send(response, { status: 404, type: 'text/plain', body: `invalid path. ${helpHint}\n` });
      return;
    }
    if (route.changes && request.method !== 'POST') {
      send(response, {
        status: 405,
        type: 'text/plain',
        body: `Method Not Allowed: ${route.path} changes something; use POST (curl -X POST …)\n`,
      });
      return;
    }
    const asked: AdminRequest = { query: url.searchParams };
    send(response, route.answer(this.#options, asked));
  }
}

const helpHint = 'GET /help lists the paths there are';

function send(response: ServerResponse, answer: AdminAnswer): void {
  response.writeHead(answer.status, {
    'content-type': answer.type.startsWith('text/') ? `${answer.type}; charset=UTF-8` : answer.type,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    server: 'outrigger',
  });
  if (typeof answer.body === 'string') {
    response.end(answer.body);
    return;
  }
  sendPieces(response, answer.body);
}

// Large answers are made as they are sent: the next piece when the last was taken.
function sendPieces(response: ServerResponse, pieces: Generator<string>): void {
  const next = (): void => {
    for (;;) {
      const piece = pieces.next();
      if (piece.done) {
        response.end();
        return;
      }
      if (!response.write(piece.value)) {
        response.once('drain', next);
        return;
      }
    }
  };
  next();
}
