// `x-envoy-decorator-operation`: one side of a hop tells the other what its route calls the operation. An outbound listener tells
// it in the request, an inbound one in the response unless the caller has told; who is told names his span so. Where a format
// for the span's name is configured, nothing is told and nothing taken, as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-envoy-decorator-operation

import { HeaderId } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from '../http/header-table.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';

export class RouteDecorators {
  readonly #isOutbound: boolean;
  readonly #hasOperation: boolean;
  /** Null for a route that tells nothing. */
  readonly #lines = new WeakMap<CompiledRoute, EncodedLine | null>();

  /** `hasOperation`: the connection manager has a format for names. */
  constructor(isOutbound: boolean, hasOperation: boolean) {
    this.#isOutbound = isOutbound;
    this.#hasOperation = hasOperation;
  }

  /** Returns the operation that the caller tells; empty where he tells none. */
  onRequest(route: CompiledRoute | null, headers: HeaderTable): string {
    if (!this.#isOutbound) return this.#take(route, headers);
    this.#tell(route, headers);
    return '';
  }

  /** Likewise of the callee. `given`: what the caller told. */
  onResponse(route: CompiledRoute | null, given: string, headers: HeaderTable): string {
    if (this.#isOutbound) return this.#take(route, headers);
    if (given === '') this.#tell(route, headers);
    return '';
  }

  #isNamed(route: CompiledRoute | null): boolean {
    const operation = route?.config.tracing?.operation;
    return this.#hasOperation || (operation !== undefined && operation !== '');
  }

  // It is between the two of us, and not told on.
  #take(route: CompiledRoute | null, headers: HeaderTable): string {
    const row = headers.findId(HeaderId.xEnvoyDecoratorOperation);
    if (row < 0 || this.#isNamed(route)) return '';
    const operation = headers.value(row);
    headers.removeId(HeaderId.xEnvoyDecoratorOperation);
    return operation;
  }

  #tell(route: CompiledRoute | null, headers: HeaderTable): void {
    if (route === null || route.config.decorator === undefined || this.#isNamed(route)) return;
    const line = this.#lineOf(route);
    if (line === null) return;
    headers.removeId(HeaderId.xEnvoyDecoratorOperation);
    headers.appendLine(line);
  }

  #lineOf(route: CompiledRoute): EncodedLine | null {
    if (route.config.decorator === undefined) return null;
    let line = this.#lines.get(route);
    if (line === undefined) {
      const { operation, propagate } = route.config.decorator;
      line = propagate && operation !== '' ? encodeLine('x-envoy-decorator-operation', operation) : null;
      this.#lines.set(route, line);
    }
    return line;
  }
}
