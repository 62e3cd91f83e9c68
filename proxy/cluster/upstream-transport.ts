// How connections to some endpoints of a cluster are made over TLS, and what a request may change in that: the name that it
// asks for, the protocols that a filter offers. Connections that differ in those are never in one pool.

import type { TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { UpstreamTls } from '../../config/tls.ts';
import type { ClientTls, ClientTlsOptions } from '../tls/client-tls.ts';
import { requestedHost, serverNameFor } from '../tls/server-name.ts';
import { spokenProtocols } from '../tls/spoken-protocols.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';

/** What connections that carry some requests of a cluster have, and others of it have not. */
export interface ConnectionVariant {
  /** Different for all that are different. */
  readonly key: string;
  /** Whom the request is for, a name or an address; empty where that is nothing to TLS. */
  readonly host: string;
  /** What is offered in place of the configured protocols; null leaves those. */
  readonly alpn: readonly string[] | null;
}

export class UpstreamTransport {
  readonly #tls: ClientTls;
  readonly #config: UpstreamTls;
  /** Of connections that carry no requests. */
  readonly forBytes: ConnectionVariant;
  /** Of those that differ by what is offered only. */
  #latest: ConnectionVariant | null = null;

  constructor(tls: ClientTls, config: UpstreamTls, exchange?: TcpMetadataExchange) {
    this.#tls = tls;
    this.#config = config;
    const carries = exchange === undefined ? 'bytes' : { bytesBehind: exchange.protocol };
    this.forBytes = { key: '', host: '', alpn: spokenProtocols(config.alpnProtocols, carries) };
  }

  /** Null where all connections to an endpoint are alike. `alpn` is as in `ConnectionVariant`. */
  variantFor(authority: string, alpn: readonly string[] | null): ConnectionVariant | null {
    const host = requestedHost(this.#config, authority);
    if (host !== '') return { key: alpn === null ? host : `${host}\n${alpn.join()}`, host, alpn };
    if (alpn === null) return null;
    // A connection manager offers the same list for all of its requests.
    if (this.#latest?.alpn !== alpn) this.#latest = { key: `\n${alpn.join()}`, host, alpn };
    return this.#latest;
  }

  /** TLS over a socket that is connected to an endpoint, whose name may be empty; a sentence when it cannot be. */
  begin(fd: number, hostname: string, variant: ConnectionVariant | null): TlsTransport | string {
    const { autoSanValidation } = this.#config;
    const name = serverNameFor(this.#config, variant?.host ?? '', hostname);
    // Fails closed: an empty name must not stand for any.
    if (autoSanValidation && name === '')
      return 'no name is known that its certificate must be for (auto_san_validation)';
    const options: { -readonly [K in keyof ClientTlsOptions]: ClientTlsOptions[K] } = { serverName: name };
    if (autoSanValidation) options.verifiedName = name;
    if (variant !== null && variant.alpn !== null) options.alpn = variant.alpn;
    return this.#tls.begin(fd, options);
  }

  /** No connection is made any more; those that stand go on. */
  release(): void {
    this.#tls.release();
  }
}
