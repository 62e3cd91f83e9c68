// One client, the proxy, one origin: whatever sound messages go in at one side, cut anywhere, come out at the other side
// as the same messages.

import type { Test } from 'tap';
import { clusterOf, forwardTo, httpListener, managerOf, routeOf, startDataPlane, virtualHostOf } from './data-plane.ts';
import {
  cutAt,
  requestFields,
  requestText,
  responseFields,
  responseText,
  type SoundMessage,
} from './http1-arbitraries.ts';
import { RawClient } from './raw-client.ts';
import { onEachRequest, RawOrigin } from './raw-origin.ts';
import { type ReferenceMessage, readResponses } from './reference-parser.ts';

export interface Exchange {
  readonly request: SoundMessage;
  readonly response: SoundMessage;
}

export class ForwardingComparison {
  readonly #port: number;
  #answers: string[] = [];
  #received: ReferenceMessage[] = [];
  #client: RawClient | undefined;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Runs until the end of the test. */
  static async start(t: Test): Promise<ForwardingComparison> {
    const origin = await RawOrigin.start(t, (connection) =>
      onEachRequest(connection, (request) => {
        comparison.#received.push(request);
        connection.write(comparison.#answers.shift()!);
      }),
    );
    const routes = [virtualHostOf([routeOf('/', forwardTo('app', { timeoutMs: 0 }))])];
    const manager = managerOf(routes, { generateRequestId: false, serverHeader: 'pass-through' });
    const { config } = manager.httpFilters[0]!;
    const plane = await startDataPlane({
      listeners: [
        httpListener('http', {
          ...manager,
          httpFilters: [{ ...manager.httpFilters[0]!, config: { ...config, suppressEnvoyHeaders: true } }],
        }),
      ],
      clusters: [clusterOf('app', [origin.port])],
      maxSleepMs: 0,
    });
    const comparison = new ForwardingComparison(plane.ports.get('http')!);
    t.teardown(() => {
      comparison.#client?.close();
      return plane.stop();
    });
    return comparison;
  }

  /** Sends all requests, pipelined and cut at these shares; returns what differs at either end, empty when nothing. */
  async difference(exchanges: readonly Exchange[], shares: readonly number[]): Promise<string> {
    this.#answers = exchanges.map(({ response }) => responseText(response));
    this.#received = [];
    if (this.#client?.outcome !== undefined) this.#client = undefined;
    this.#client ??= await RawClient.open(this.#port);
    const client = this.#client;
    client.text = '';
    await client.writeAll(cutAt(exchanges.map(({ request }) => requestText(request)).join(''), shares));
    const methods = exchanges.map(({ request }) => request.method);
    const read = (text: string) => readResponses(text, methods, false);
    const { messages, rest } = read(await client.until((text) => read(text).messages.length === exchanges.length));
    if (rest !== '') return `the client also got ${JSON.stringify(rest)}`;
    for (const [index, { request, response }] of exchanges.entries()) {
      const asked = compare(this.#received[index], request, requestFields(request));
      const answered = compare(messages[index], response, responseFields(response));
      const target = this.#received[index]?.firstLine.join(' ');
      if (target !== `${request.method} ${request.target} HTTP/1.1`) return `request ${index} became ${target}`;
      if (asked !== '') return `request ${index}: ${asked}`;
      if (answered !== '') return `response ${index}: ${answered}`;
    }
    return '';
  }
}

/** What every message gets on the way. */
const added = new Set(['x-forwarded-proto', 'date']);

function compare(
  received: ReferenceMessage | undefined,
  sent: SoundMessage,
  fields: readonly (readonly string[])[],
): string {
  if (received === undefined) return 'it did not arrive';
  const names = new Set(fields.map(([name]) => name));
  const arrived = received.fields.filter(([name]) => names.has(name) || !added.has(name));
  if (JSON.stringify(arrived) !== JSON.stringify(fields)) {
    return `fields ${JSON.stringify(fields)} arrived as ${JSON.stringify(arrived)}`;
  }
  const body = sent.body ?? '';
  return received.body === body ? '' : `body ${JSON.stringify(body)} arrived as ${JSON.stringify(received.body)}`;
}
