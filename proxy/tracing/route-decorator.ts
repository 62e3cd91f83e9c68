// `x-envoy-decorator-operation`: one side of a hop tells the other what its route calls the operation. An outbound listener tells
// it in the request, an inbound one in the response unless the caller has told; who is told names his span so. Where a format
// for the span's name is configured, nothing is told and nothing taken, as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-envoy-decorator-operation

import { HeaderId } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from '../http/header-table.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { RequestTrace } from './request-trace.ts';

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

  onRequest(trace: RequestTrace, headers: HeaderTable): void {
    if (this.#isNamed(trace)) return;
    if (this.#isOutbound) this.#tell(trace, headers);
    else take(trace, headers);
  }

  onResponse(trace: RequestTrace, headers: HeaderTable): void {
    if (this.#isNamed(trace)) return;
    if (this.#isOutbound) take(trace, headers);
    else if (trace.givenOperation === '') this.#tell(trace, headers);
  }

  #isNamed({ route }: RequestTrace): boolean {
    const operation = route?.config.tracing?.operation;
    return this.#hasOperation || (operation !== undefined && operation !== '');
  }

  #tell({ route }: RequestTrace, headers: HeaderTable): void {
    const line = route === null ? null : this.#lineOf(route);
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

// It is between the two of us, and not told on.
function take(trace: RequestTrace, headers: HeaderTable): void {
  const row = headers.findId(HeaderId.xEnvoyDecoratorOperation);
  if (row < 0) return;
  trace.givenOperation = headers.value(row);
  headers.removeId(HeaderId.xEnvoyDecoratorOperation);
}
