// The way to an endpoint that speaks no HTTP: where CONNECT ends here (`connect_config`), its bytes go on as they are.

import type { OutputBuffer } from '../http/http1/output-buffer.ts';
import { RawConnection } from '../http/raw-connection.ts';
import type { Reactor } from '../reactor/reactor.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { openEndpointSocket } from './endpoint-socket.ts';
import type { ConnectionOwner, UpstreamConnector } from './pooled-connection.ts';

export class RawConnector implements UpstreamConnector {
  readonly isRaw = true;
  readonly #reactor: Reactor;
  readonly #output: OutputBuffer;

  constructor(reactor: Reactor, output: OutputBuffer) {
    this.#reactor = reactor;
    this.#output = output;
  }

  carrierOf(): this {
    return this;
  }

  connect(owner: ConnectionOwner, cluster: ClusterRuntime, endpoint: EndpointRuntime): RawConnection {
    const connection = new RawConnection(owner, this.#output);
    const { variant } = owner;
    connection.stream = openEndpointSocket(this.#reactor, { cluster, endpoint, variant }, connection);
    return connection;
  }
}
