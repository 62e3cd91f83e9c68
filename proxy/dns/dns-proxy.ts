// Answers DNS for the applications of a pod, as Istio's agent does: by the names that istiod tells, and by the servers of
// resolv.conf for all others. Redirection leads port 53 here. On the main thread, which gives way to requests.
// https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/

import { randomInt } from 'node:crypto';
import type { NameTable } from '../../config/name-table.ts';
import type { Random } from '../../config/random.ts';
import { parseNameServers, parseSearchRules } from '../discovery/resolv-conf.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { DnsForwarder, type DnsForwarderOptions } from './dns-forwarder.ts';
import { DnsResponder } from './dns-responder.ts';
import { DnsServer } from './dns-server.ts';
import { NameLookup } from './name-lookup.ts';

export interface DnsProxyOptions extends Pick<DnsForwarderOptions, 'nowMs' | 'schedule'> {
  readonly namespace: string;
  /** Of the proxy, `shop.svc.cluster.local`. */
  readonly domain: string;
  /** The text of /etc/resolv.conf. */
  readonly resolvConf: string;
  /** Of the servers. */
  readonly upstreamPort: number;
  readonly random: Random;
  /** A block of `dnsStats`. */
  readonly stats: StatBlock;
  readonly log: Pick<ComponentLog, 'info'>;
}

export class DnsProxy {
  readonly #log: DnsProxyOptions['log'];
  readonly #lookup: NameLookup;
  readonly #server: DnsServer;
  readonly #upstreams: readonly string[];

  constructor({ namespace, domain, resolvConf, upstreamPort, log, ...options }: DnsProxyOptions) {
    this.#log = log;
    this.#lookup = new NameLookup({ namespace, domain, searchDomains: parseSearchRules(resolvConf).domains });
    this.#upstreams = parseNameServers(resolvConf);
    const upstreams = this.#upstreams.map((ip) => ({ kind: 'ip', ip, port: upstreamPort }) as const);
    const forwarder = new DnsForwarder({ ...options, upstreams, newId: () => randomInt(65_536) });
    const { random, stats } = options;
    this.#server = new DnsServer(new DnsResponder({ lookup: this.#lookup, forwarder, random, stats }));
  }

  /** At loopback of both families; where the machine has no IPv6, of one. Rejects when the port cannot be had. */
  async listen(port: number): Promise<number> {
    const taken = await this.#server.listen('127.0.0.1', port);
    try {
      await this.#server.listen('::1', taken);
    } catch (error) {
      if (!noAddress.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    this.#log.info({ port: taken, servers: this.#upstreams }, 'names are answered');
    return taken;
  }

  /** The names from now on. */
  use(names: NameTable): void {
    const isFirst = !this.#lookup.isReady;
    this.#lookup.use(names);
    if (isFirst) this.#log.info({ names: this.#lookup.size }, 'names of the mesh have come');
  }

  close(): void {
    this.#server.close();
  }
}

const noAddress: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);
