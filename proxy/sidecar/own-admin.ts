// What a sidecar says of itself, asked of its own admin interface, which has the one answer to each question.

import { request } from 'node:http';
import { text } from 'node:stream/consumers';

export class OwnAdmin {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Never rejects: an interface that does not answer yet is a sidecar that is not ready. */
  async readiness(): Promise<{ readonly isReady: boolean; readonly reason: string }> {
    try {
      const { status, body } = await this.#ask('GET', '/ready');
      return { isReady: status === 200, reason: body.trim() };
    } catch (error) {
      return { isReady: false, reason: `the admin interface does not answer: ${(error as Error).message}` };
    }
  }

  /** In Prometheus' text format. */
  async metrics(): Promise<string> {
    const { status, body } = await this.#ask('GET', '/stats/prometheus');
    if (status !== 200) throw new Error(`the admin interface answered ${status}`);
    return body;
  }

  /** Never rejects: why the end could not be asked for; empty when it was. A sidecar that is asked twice may be gone. */
  async quit(): Promise<string> {
    try {
      const { status } = await this.#ask('POST', '/quitquitquit');
      return status === 200 ? '' : `the admin interface answered ${status}`;
    } catch (error) {
      return `the admin interface does not answer: ${(error as Error).message}`;
    }
  }

  #ask(method: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: string }>();
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const call = request({ host: '127.0.0.1', port: this.#port, method, path, agent: false, signal });
    call.on('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    call.on('error', reject);
    call.end();
    return promise;
  }
}

const TIMEOUT_MS = 5000;
