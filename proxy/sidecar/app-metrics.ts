// The application's metrics, which are told beside our own: the kubelet's Prometheus asks one port of a pod
// (`prometheus.istio.io/merge-metrics`).

import { type IncomingMessage, request } from 'node:http';

export interface AppMetrics {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Prometheus itself gives up after 10 s by default. */
const timeoutMs = 8_000;

/**
 * The body as the application streams it, in the text format: ours and another format cannot be one answer. Or why there is
 * none. Never rejects.
 */
export function readAppMetrics({ host, port, path }: AppMetrics): Promise<IncomingMessage | string> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage | string>();
  const headers = { accept: 'text/plain;version=0.0.4', 'accept-encoding': 'identity' };
  const call = request({ host, port, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) });
  call.on('response', (response) => {
    if (response.statusCode === 200) {
      resolve(response);
      return;
    }
    response.destroy();
    resolve(`it answered ${response.statusCode}`);
  });
  call.on('error', ({ message }) => resolve(message));
  call.end();
  return promise;
}
