// An HTTP origin whose answers the test finishes: `/head` waits before the head, `/body` in the middle of the body.

import type { ServerResponse } from 'node:http';
import type { Test } from 'tap';
import { startHttpOrigin } from './http-origin.ts';

export interface PatientOrigin {
  readonly port: number;
  /** Resolves when a request for this path has arrived and waits. */
  arrived(path: string): Promise<void>;
  /** Finishes all that wait. */
  finish(): void;
}

export async function startPatientOrigin(t: Test): Promise<PatientOrigin> {
  const waiting: ServerResponse[] = [];
  const arrivals = new Map<string, PromiseWithResolvers<void>>();
  const arrival = (path: string): PromiseWithResolvers<void> => {
    const known = arrivals.get(path) ?? Promise.withResolvers<void>();
    arrivals.set(path, known);
    return known;
  };
  const port = await startHttpOrigin(t, (request, response) => {
    const path = request.url ?? '';
    response.setHeader('content-length', 4);
    if (path === '/body') response.write('do');
    if (path === '/head' || path === '/body') waiting.push(response);
    else response.end('done');
    arrival(path).resolve();
  });
  return {
    port,
    arrived: (path) => arrival(path).promise,
    finish: () => {
      for (const response of waiting.splice(0)) response.end(response.headersSent ? 'ne' : 'done');
    },
  };
}
