// A port of this pod's own sidecar, asked by the sidecar itself and by the programs that hooks run beside it.

import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface LoopbackRequest {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** Rejects when there is no whole answer in time. */
export async function askLoopback({ port, method, path, body, timeoutMs }: LoopbackRequest): Promise<{
  readonly status: number;
  readonly body: string;
}> {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
  const signal = AbortSignal.timeout(timeoutMs);
  const call = request({ host: '127.0.0.1', port, method, path, agent: false, signal });
  call.on('response', (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
  });
  call.on('error', reject);
  call.end(body);
  return promise;
}
