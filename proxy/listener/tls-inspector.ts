// Finds out whether a connection begins with TLS, and what the ClientHello says in the clear.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/tls_inspector
//
// What is not TLS is known from the first byte that is wrong; Envoy waits for five.

import type { TlsInspectorFilter } from '../../config/listener.ts';
import { tlsInspectorStats } from '../telemetry/listener-filter-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { type ClientHello, ClientHelloReader } from './client-hello.ts';
import { type Inspection, type Inspector, Verdict } from './listener-filter.ts';

export class TlsInspector implements Inspector {
  readonly #config: TlsInspectorFilter;
  readonly #stats: StatBlock;
  readonly #reader: ClientHelloReader;

  /** `stats` is a block of `tlsInspectorStats`. */
  constructor(config: TlsInspectorFilter, stats: StatBlock) {
    this.#config = config;
    this.#stats = stats;
    this.#reader = new ClientHelloReader(config.maxClientHelloBytes);
  }

  inspect(inspection: Inspection): Verdict {
    const outcome = this.#reader.read(inspection.bytes, inspection.end);
    if (outcome === 'incomplete') return Verdict.needsMore;
    this.#stats.record(tlsInspectorStats.bytesProcessed, inspection.end);
    if (outcome === 'too-large') {
      this.#stats.inc(tlsInspectorStats.clientHelloTooLarge);
      return Verdict.refused;
    }
    if (outcome === 'invalid') return this.#notFound();
    this.#found(outcome, inspection);
    return Verdict.done;
  }

  #notFound(): Verdict {
    if (this.#config.closesOnParsingErrors) return Verdict.refused;
    this.#stats.inc(tlsInspectorStats.tlsNotFound);
    return Verdict.done;
  }

  #found({ serverName, applicationProtocols }: ClientHello, { found }: Inspection): void {
    const hasProtocols = applicationProtocols.length > 0;
    found.transportProtocol = 'tls';
    found.serverName = serverName;
    if (hasProtocols) found.applicationProtocols = applicationProtocols;
    this.#stats.inc(tlsInspectorStats.tlsFound);
    this.#stats.inc(serverName === '' ? tlsInspectorStats.sniNotFound : tlsInspectorStats.sniFound);
    this.#stats.inc(hasProtocols ? tlsInspectorStats.alpnFound : tlsInspectorStats.alpnNotFound);
  }
}
