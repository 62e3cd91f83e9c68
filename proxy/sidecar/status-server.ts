// What the kubelet, Prometheus and scripts ask a sidecar: readiness (15021), probes of the application and metrics of both
// (15020), our own metrics (15090). https://istio.io/latest/docs/ops/deployment/application-requirements/
//
// Anybody who reaches the pod may ask. So a connection carries one request, which neither the kubelet nor Prometheus notices,
// and where there are too many connections or scrapes the oldest goes: who holds them open keeps nobody else out.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type AppMetrics, readAppMetrics } from './app-metrics.ts';
import { type AppProbe, askProbe, type ProbeTarget } from './app-probe.ts';

export interface StatusServerOptions {
  readonly readiness: () => Promise<{ readonly isReady: boolean; readonly reason: string }>;
  /** Our own metrics in Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** By path. */
  readonly probes: ReadonlyMap<string, AppProbe>;
  readonly probeTarget: ProbeTarget;
  /** Undefined without an application to ask. */
  readonly appMetrics: AppMetrics | undefined;
  /** `/quitquitquit`. */
  readonly quit: () => void;
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
  /** While it is made: those who ask meanwhile share it. */
  #ownMetrics: Promise<Buffer> | undefined;

  constructor(options: StatusServerOptions) {
    this.#options = options;
  }

  /** Rejects when a port cannot be had. Port 0 takes a free one; returns those that were taken. */
  async listen(ports: StatusPorts, host?: string): Promise<StatusPorts> {
    return {
      status: await this.#open(ports.status, host, (path, request, response) =>
        this.#answerStatus(path, request, response),
      ),
      health: await this.#open(
        ports.health,
        host,
        (path, _request, response) => void this.#answerHealth(path, response),
      ),
      prometheus: await this.#open(ports.prometheus, host, (path, _request, response) => {
        if (path === METRICS) void this.#answerMetrics(response, undefined);
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
      const path = (request.url ?? '').split('?', 1)[0]!;
      const isQuit = path === '/quitquitquit';
      if (request.method !== 'GET' && request.method !== 'HEAD' && !(isQuit && request.method === 'POST')) {
        answerText(response, 405, 'only GET is answered here');
      } else answer(path, request, response);
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

  #answerStatus(path: string, request: IncomingMessage, response: ServerResponse): void {
    const probe = this.#options.probes.get(path);
    if (probe !== undefined) void this.#answerProbe(probe, response);
    else if (path === METRICS) void this.#answerMetrics(response, this.#options.appMetrics);
    else if (path === '/quitquitquit') this.#answerQuit(request, response);
    else void this.#answerHealth(path, response);
  }

  async #answerHealth(path: string, response: ServerResponse): Promise<void> {
    if (path !== '/healthz/ready') {
      notFound(response);
      return;
    }
    const { isReady, reason } = await this.#options.readiness();
    answerText(response, isReady ? 200 : 503, reason);
  }

  async #answerProbe(probe: AppProbe, response: ServerResponse): Promise<void> {
    const { status, text } = await askProbe(probe, this.#options.probeTarget);
    answerText(response, status, text);
  }

  /** Whoever is not in the pod may not end it. */
  #answerQuit(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'POST') answerText(response, 405, 'POST ends the sidecar');
    else if (!LOOPBACK.test(request.socket.remoteAddress ?? '')) answerText(response, 403, 'only from the pod itself');
    else {
      answerText(response, 200, 'the sidecar ends');
      this.#options.quit();
    }
  }

  /** An application that cannot be asked costs its own metrics only, and is counted. */
  async #answerMetrics(response: ServerResponse, app: AppMetrics | undefined): Promise<void> {
    endOldest(this.#scrapes, response, MAX_SCRAPES);
    const [own, others] = await Promise.allSettled([
      this.#readOwnMetrics(),
      app === undefined ? undefined : readAppMetrics(app),
    ]);
    if (response.destroyed) {
      if (others.status === 'fulfilled') others.value?.destroy();
      return;
    }
    if (own.status === 'rejected') {
      answerText(response, 503, `there are no metrics: ${own.reason.message}`);
      if (others.status === 'fulfilled') others.value?.destroy();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    if (others.status === 'rejected') this.#failedScrapes++;
    response.write(own.value);
    if (app !== undefined) response.write(failedScrapesMetric(this.#failedScrapes));
    if (others.status !== 'fulfilled' || others.value === undefined) response.end();
    else {
      // A cut answer must not be taken for a whole one.
      others.value.on('error', () => response.destroy());
      response.on('close', () => others.value!.destroy());
      others.value.pipe(response);
    }
  }

  async #readOwnMetrics(): Promise<Buffer> {
    this.#ownMetrics ??= this.#options
      .metrics()
      .then((text) => Buffer.from(withNewline(text)))
      .finally(() => {
        this.#ownMetrics = undefined;
      });
    return this.#ownMetrics;
  }
}

type Answer = (path: string, request: IncomingMessage, response: ServerResponse) => void;

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
/** Of each port. */
const MAX_CONNECTIONS = 128;
/** Of all. A scrape holds its copy of what the application says, and shares ours with those of its moment. */
const MAX_SCRAPES = 8;
/** Of a connection on which nothing moves. An application has 8 s for its metrics. */
const SILENCE_MS = 15_000;
/** No other: as 127.0.0.6 and ::6 sidecars of Istio bring to the application what others have sent to the pod. */
const LOOPBACK = /^(?:(?:::ffff:)?127\.0\.0\.1|::1)$/;
