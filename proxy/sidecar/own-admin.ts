// What a sidecar says of itself, asked of its own admin interface, which has the one answer to each question.

import { askLoopback } from './loopback-request.ts';

/** One type of what control planes send. */
export interface FollowedType {
  /** `envoy.config.cluster.v3.Cluster`. */
  readonly name: string;
  readonly hasAnswer: boolean;
  /** Of this run or of an earlier one. */
  readonly isHeld: boolean;
  /** A whole answer, in this run. */
  readonly wasAccepted: boolean;
  /** Why the last answer was refused; undefined where it was accepted. */
  readonly refusal: string | undefined;
}

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
      return { isReady: false, reason: doesNotAnswer(error) };
    }
  }

  /** Of every source; or, as a text, why it is not known. Never rejects. */
  async followedTypes(): Promise<readonly FollowedType[] | string> {
    try {
      const { status, body } = await this.#ask('GET', '/xds?format=json');
      if (status !== 200) return `the admin interface answered ${status}`;
      const { sources } = JSON.parse(body) as { readonly sources: readonly { readonly types: readonly TypeJson[] }[] };
      return sources.flatMap(({ types }) => types.map(followedType));
    } catch (error) {
      return doesNotAnswer(error);
    }
  }

  /** In Prometheus' text format. */
  async metrics(): Promise<string> {
    const { status, body } = await this.#ask('GET', '/stats/prometheus');
    if (status !== 200) throw new Error(`the admin interface answered ${status}`);
    return body;
  }

  /** Why the end could not be asked for; empty when it was. A sidecar that is asked twice may be gone. Never rejects. */
  quit(): Promise<string> {
    return this.#order('/quitquitquit');
  }

  /** Inbound listeners say farewell to their clients and go on. Why that could not be asked for, or empty. Never rejects. */
  drain(): Promise<string> {
    return this.#order('/drain_listeners?inboundonly&graceful&skip_exit');
  }

  async #order(path: string): Promise<string> {
    try {
      const { status } = await this.#ask('POST', path);
      return status === 200 ? '' : `the admin interface answered ${status}`;
    } catch (error) {
      return doesNotAnswer(error);
    }
  }

  #ask(method: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
    return askLoopback({ port: this.#port, method, path, timeoutMs: TIMEOUT_MS });
  }
}

/** As `/xds` has it. */
interface TypeJson {
  readonly type_url: string;
  readonly held: number;
  readonly responses: number;
  readonly refused: boolean;
  readonly last_ack?: object;
  readonly last_nack?: { readonly text: string };
}

function followedType(type: TypeJson): FollowedType {
  return {
    name: type.type_url.slice(type.type_url.lastIndexOf('/') + 1),
    hasAnswer: type.responses > 0,
    isHeld: type.held > 0,
    wasAccepted: type.last_ack !== undefined,
    refusal: type.refused ? type.last_nack?.text : undefined,
  };
}

function doesNotAnswer(error: unknown): string {
  return `the admin interface does not answer: ${(error as Error).message}`;
}

const TIMEOUT_MS = 5000;
