// Takes the header of the PROXY protocol from the front of a connection: from there on the connection comes from whom the
// header names, and goes to where it says.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/proxy_protocol
//
// Who may connect to such a listener may say where it comes from: it is for load balancers in front of it.

import type { ProxyProtocolFilter } from '../../config/listener.ts';
import { proxyProtocolStats } from '../telemetry/listener-filter-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { type Inspection, type Inspector, Verdict } from './listener-filter.ts';
import { type ProxyHeader, readProxyHeader } from './proxy-header.ts';

export class ProxyProtocol implements Inspector {
  readonly isRequired: boolean = true;
  readonly #config: ProxyProtocolFilter;
  readonly #stats: StatBlock;

  /** `stats` is a block of `proxyProtocolStats`. */
  constructor(config: ProxyProtocolFilter, stats: StatBlock) {
    this.#config = config;
    this.#stats = stats;
  }

  inspect(inspection: Inspection): Verdict {
    const outcome = readProxyHeader(inspection.bytes, inspection.end);
    if (outcome === 'incomplete') return Verdict.needsMore;
    if (outcome === 'absent') return this.#onAbsent();
    if ('invalid' in outcome) {
      // As Envoy: what is not looked for is no header, however it begins.
      if (this.#passes(outcome.invalid)) return this.#onAbsent();
      this.#stats.inc(outcome.invalid === 1 ? proxyProtocolStats.v1Error : proxyProtocolStats.v2Error);
      return Verdict.refused;
    }
    return this.#onHeader(outcome, inspection);
  }

  #onHeader(header: ProxyHeader, inspection: Inspection): Verdict {
    const isFirst = header.version === 1;
    if (this.#passes(header.version)) return this.#onAbsent();
    if (this.#config.disallowedVersions.includes(header.version)) {
      this.#stats.inc(isFirst ? proxyProtocolStats.v1Disallowed : proxyProtocolStats.v2Disallowed);
      return Verdict.refused;
    }
    this.#stats.inc(isFirst ? proxyProtocolStats.v1Found : proxyProtocolStats.v2Found);
    inspection.taken = header.length;
    if (header.addresses !== null) {
      inspection.found.source = header.addresses.source;
      inspection.found.destination = header.addresses.destination;
    }
    return Verdict.done;
  }

  #passes(version: 1 | 2): boolean {
    return this.#config.allowsAbsence && this.#config.disallowedVersions.includes(version);
  }

  #onAbsent(): Verdict {
    const { allowsAbsence } = this.#config;
    this.#stats.inc(allowsAbsence ? proxyProtocolStats.notFoundAllowed : proxyProtocolStats.notFoundDisallowed);
    return allowsAbsence ? Verdict.done : Verdict.refused;
  }
}
