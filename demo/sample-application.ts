// The application behind the sidecar in the demo: one endpoint for each thing that a sidecar is there to handle.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface SampleApplication {
  readonly port: number;
  close(): Promise<void>;
}

type Endpoint = (request: IncomingMessage, response: ServerResponse) => unknown;

const SLOW_MS = 2_000;
const DOWNLOAD_BYTES = 64 * 1024 * 1024;

/** Starts one replica on a free port of 127.0.0.1. `name` tells replicas apart in the answers. */
export async function startSampleApplication(name: string): Promise<SampleApplication> {
  const endpoints = endpointsOf(name);
  const server = createServer((request, response) => {
    const path = request.url!.split('?', 1)[0]!;
    const endpoint = endpoints.get(path) ?? notFound;
    endpoint(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function endpointsOf(name: string): ReadonlyMap<string, Endpoint> {
  let flakyRequests = 0;
  return new Map<string, Endpoint>([
    ['/hello', (_, response) => response.end(`hello from ${name}\n`)],
    ['/slow', (_, response) => delay(SLOW_MS).then(() => response.end(`slow hello from ${name}\n`))],
    ['/echo', (request, response) => request.pipe(response)],
    [
      '/flaky',
      (_, response) => {
        // Two of three fail: a caller without retries sees it at once, and three attempts at one replica always suffice.
        flakyRequests++;
        response.statusCode = flakyRequests % 3 === 0 ? 200 : 503;
        response.end(`${name} answers ${response.statusCode}\n`);
      },
    ],
    ['/download', (_, response) => download(response)],
  ]);
}

function notFound(_: IncomingMessage, response: ServerResponse): void {
  response.statusCode = 404;
  response.end('try /hello /slow /echo /flaky /download\n');
}

async function download(response: ServerResponse): Promise<void> {
  const chunk = Buffer.alloc(64 * 1024, 'outrigger ');
  response.setHeader('content-length', DOWNLOAD_BYTES);
  for (let sent = 0; sent < DOWNLOAD_BYTES && !response.destroyed; sent += chunk.length) {
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
