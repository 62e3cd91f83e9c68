// The whole process with one listener `http` in front of one endpoint, and a client of it.

import { connect } from 'node:net';
import type { Test } from 'tap';
import { RawClient } from './raw-client.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from './sidecar.ts';

export interface Given {
  /** Of the endpoint. */
  readonly port: number;
  readonly flags?: readonly string[];
  readonly manager?: object;
  readonly listener?: object;
  /** `ulimit -n`. */
  readonly descriptors?: number;
}

/** One worker. */
export function startBefore(
  t: Test,
  { port, flags = [], manager = {}, listener = {}, ...options }: Given,
): Promise<Sidecar> {
  const listeners = [
    { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', manager)], ...listener },
  ];
  const bootstrap = { static_resources: { listeners, clusters: [clusterAt('app', port)] } };
  return startSidecar(t, { bootstrap, flags: ['--concurrency', '1', ...flags], ...options });
}

/** Gone at the end of the test. */
export async function connectTo(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  return client;
}

export function request(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;
}

/** The body of `patient-origin.ts` is complete. */
export const isDone = (text: string): boolean => text.endsWith('done');

/** Whether nobody listens there. */
export function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}
