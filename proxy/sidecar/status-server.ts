// What the kubelet, Prometheus and scripts ask a sidecar: readiness (15021), probes of the application and metrics of both
// (15020), our own metrics (15090). https://istio.io/latest/docs/ops/deployment/application-requirements/

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
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
  #failedScrapes = 0;

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
    const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 }, (request, response) => {
      const path = (request.url ?? '').split('?', 1)[0]!;
      const isQuit = path === '/quitquitquit';
      if (request.method !== 'GET' && request.method !== 'HEAD' && !(isQuit && request.method === 'POST')) {
        answerText(response, 405, 'only GET is answered here');
      } else answer(path, request, response);
    });
    server.maxConnections = MAX_CONNECTIONS;
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
    const [own, others] = await Promise.allSettled([
      this.#options.metrics(),
      app === undefined ? undefined : readAppMetrics(app),
    ]);
    if (own.status === 'rejected') {
      answerText(response, 503, `there are no metrics: ${own.reason.message}`);
      if (others.status === 'fulfilled') others.value?.destroy();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    if (others.status === 'rejected') this.#failedScrapes++;
    response.write(withNewline(own.value));
    if (app !== undefined) response.write(failedScrapesMetric(this.#failedScrapes));
    if (others.status !== 'fulfilled' || others.value === undefined) response.end();
    else {
      // A cut answer must not be taken for a whole one.
      others.value.on('error', () => response.destroy());
      response.on('close', () => others.value!.destroy());
      others.value.pipe(response);
    }
  }
}

type Answer = (path: string, request: IncomingMessage, response: ServerResponse) => void;

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
const MAX_CONNECTIONS = 128;
const LOOPBACK = /^(?:::ffff:)?127\.|^::1$/;
