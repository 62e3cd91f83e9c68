// What the kubelet, Prometheus and scripts ask a sidecar: readiness (15021), probes of the application and metrics of both
// (15020), our own metrics (15090). https://istio.io/latest/docs/ops/deployment/application-requirements/
//
// Anybody who reaches the pod may ask. So a connection carries one request, which neither the kubelet nor Prometheus notices,
// and where there are too many connections or scrapes the oldest goes: who holds them open keeps nobody else out.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { type AppMetrics, readAppMetrics } from './app-metrics.ts';
import { type AppProbe, askProbe, type ProbeTarget } from './app-probe.ts';
import type { Readiness } from './readiness.ts';

export interface StatusServerOptions {
  readonly readiness: (options: { readonly verbose: boolean }) => Promise<Readiness>;
  /** Our own metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** By path. */
  readonly probes: ReadonlyMap<string, AppProbe>;
  readonly probeTarget: ProbeTarget;
  /** Told in this order. */
  readonly appMetrics: readonly AppMetrics[];
  /** `/quitquitquit`. */
  readonly quit: () => void;
  /** `/drain`: clients are asked to leave, and the sidecar goes on. */
  readonly drain: () => void;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

export interface StatusPorts {
  readonly status: number;
  readonly health: number;
  readonly prometheus: number;
}

export class StatusServer {
  readonly #options: StatusServerOptions;
  readonly #servers: Server[] = [];
  /** Answers with metrics that are not read yet; the oldest first. */
  readonly #scrapes = new Set<ServerResponse>();
  #failedScrapes = 0;
  /** While it is made, and for a moment after: those who ask meanwhile share it. */
  #ownMetrics: Promise<Buffer | string> | undefined;

  constructor(options: StatusServerOptions) {
    this.#options = options;
  }

  /** Rejects when a port cannot be had. Port 0 takes a free one; returns those that were taken. */
  async listen(ports: StatusPorts, host?: string): Promise<StatusPorts> {
    return {
      status: await this.#open(ports.status, host, (asked) => this.#answerStatus(asked)),
      health: await this.#open(ports.health, host, (asked) => void this.#answerHealth(asked)),
      prometheus: await this.#open(ports.prometheus, host, ({ path, response }) => {
        if (path === METRICS) void this.#answerMetrics(response, []);
        else notFound(response);
      }),
    };
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #open(port: number, host: string | undefined, answer: Answer): Promise<number> {
    const limits = { maxHeaderSize: 16 * 1024, requestTimeout: 10_000, connectionsCheckingInterval: 2000 };
    const server = createServer(limits, (request, response) => {
      // Or it would be kept for some seconds all the same.
      response.setHeader('connection', 'close');
      const [path = '', query] = (request.url ?? '').split('?', 2);
      const mayPost = request.method === 'POST' && ORDERS.has(path);
      if (request.method === 'GET' || request.method === 'HEAD' || mayPost) answer({ path, query, request, response });
      else answerText(response, 405, 'only GET is answered here');
    });
    server.maxRequestsPerSocket = 1;
    server.setTimeout(SILENCE_MS);
    const connections = new Set<Socket>();
    server.on('connection', (socket) => endOldest(connections, socket, MAX_CONNECTIONS));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
    await promise;
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  #answerStatus(asked: Asked): void {
    const { path, response } = asked;
    const probe = this.#options.probes.get(path);
    if (probe !== undefined) void this.#answerProbe(probe, response);
    // Under both names, as Istio's agent has it.
    else if (path === METRICS || path === '/metrics') void this.#answerMetrics(response, this.#options.appMetrics);
    else if (path === '/quitquitquit') answerOrder(asked, 'the sidecar ends', this.#options.quit);
    else if (path === '/drain') answerOrder(asked, 'clients are asked to leave', this.#options.drain);
    else void this.#answerHealth(asked);
  }

  async #answerHealth({ path, query, request, response }: Asked): Promise<void> {
    if (path !== '/healthz/ready') {
      notFound(response);
      return;
    }
    // Refusals tell of policies, which are nobody's business but the pod's.
    const verbose = query === 'verbose' && isOfPod(request);
    const { isReady, reason } = await this.#options.readiness({ verbose });
    answerText(response, isReady ? 200 : 503, reason);
  }

  async #answerProbe(probe: AppProbe, response: ServerResponse): Promise<void> {
    const { status, text } = await askProbe(probe, this.#options.probeTarget);
    answerText(response, status, text);
  }

  /** An application that cannot be asked costs its own metrics only, and is counted. */
  async #answerMetrics(response: ServerResponse, apps: readonly AppMetrics[]): Promise<void> {
    endOldest(this.#scrapes, response, MAX_SCRAPES);
    const own = await this.#readOwnMetrics();
    if (response.destroyed) return;
    if (typeof own === 'string') {
      answerText(response, 503, `there are no metrics: ${own}`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.write(own);
    for (const app of apps) await this.#passMetricsOn(app, response);
    if (response.destroyed) return;
    response.end(apps.length === 0 ? '' : failedScrapesMetric(this.#failedScrapes));
  }

  async #passMetricsOn(app: AppMetrics, response: ServerResponse): Promise<void> {
    if (response.destroyed) return;
    const body = await readAppMetrics(app);
    if (typeof body === 'string') {
      this.#failedScrapes++;
      return;
    }
    try {
      await pipeline(body, response, { end: false });
    } catch {
      // A cut answer must not be taken for a whole one. What is for somebody who has left is not given up by `pipeline`.
      response.destroy();
      body.destroy();
      return;
    }
    // Not everybody ends a last line.
    response.write('\n');
  }

  /** Or why there are none. */
  #readOwnMetrics(): Promise<Buffer | string> {
    this.#ownMetrics ??= this.#makeOwnMetrics();
    return this.#ownMetrics;
  }

  async #makeOwnMetrics(): Promise<Buffer | string> {
    const forget = (): void => {
      this.#ownMetrics = undefined;
    };
    try {
      const text = Buffer.from(withNewline(await this.#options.metrics()));
      // Who asks again and again costs no more than who asks every second.
      this.#options.schedule(METRICS_AGE_MS, forget);
      return text;
    } catch (error) {
      forget();
      return (error as Error).message;
    }
  }
}

interface Asked {
  readonly path: string;
  /** Behind the question mark. */
  readonly query: string | undefined;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type Answer = (asked: Asked) => void;

/** Whoever is not in the pod may not end it, or send its clients away. */
function answerOrder({ request, response }: Asked, text: string, order: () => void): void {
  if (request.method !== 'POST') answerText(response, 405, 'this is asked for by POST');
  else if (!isOfPod(request)) answerText(response, 403, 'only from the pod itself');
  else {
    answerText(response, 200, text);
    order();
  }
}

function isOfPod({ socket }: IncomingMessage): boolean {
  return LOOPBACK.test(socket.remoteAddress ?? '');
}

/** Adds `one` to those that are open, until it closes. */
function endOldest<T extends Socket | ServerResponse>(open: Set<T>, one: T, most: number): void {
  open.add(one);
  one.once('close', () => open.delete(one));
  if (open.size > most) open.values().next().value!.destroy();
}

function answerText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' });
  response.end(`${text}\n`);
}

function notFound(response: ServerResponse): void {
  answerText(response, 404, `here are /healthz/ready and ${METRICS}`);
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

function failedScrapesMetric(count: number): string {
  return `# TYPE istio_agent_scrape_failures_total counter\nistio_agent_scrape_failures_total{type="application"} ${count}\n`;
}

const METRICS = '/stats/prometheus';
/** What may be asked for by POST alone. */
const ORDERS: ReadonlySet<string> = new Set(['/quitquitquit', '/drain']);
const METRICS_AGE_MS = 1000;
/** Of each port. */
const MAX_CONNECTIONS = 128;
/** Of all. A scrape holds its copy of what the application says, and shares ours with those of its moment. */
const MAX_SCRAPES = 8;
/** Of a connection on which nothing moves. An application has 8 s for its metrics. */
const SILENCE_MS = 15_000;
/** No other: as 127.0.0.6 and ::6 sidecars of Istio bring to the application what others have sent to the pod. */
const LOOPBACK = /^(?:(?:::ffff:)?127\.0\.0\.1|::1)$/;
