// The endpoints of an ORIGINAL_DST cluster: wherever the downstream connection was going before it was redirected, or
// where a trusted header says. Endpoints appear when they are asked for and go when nobody used them for a while.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery#original-destination

import { isIP } from 'node:net';
import { formatAddress, type IpAddress } from '../../config/address.ts';
import type { Discovery } from '../../config/cluster.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import { type EndpointOwner, EndpointRuntime } from './endpoint-runtime.ts';

export type OriginalDestinationDiscovery = Extract<Discovery, { kind: 'original-dst' }>;

/** Endpoints at a time. A client that names ever new destinations in a header must not grow memory without end. */
export const maxOriginalDestinations = 16_384;

export class OriginalDestinations implements Balancer {
  readonly #discovery: OriginalDestinationDiscovery;
  readonly #owner: EndpointOwner;
  readonly #destinations = new Map<string, Destination>();
  /** By what was asked for, which spells the same address in several ways or has another port than the endpoint. */
  readonly #byRequest = new Map<string, Destination>();
  #nextCleanUpAtMs = 0;

  constructor(discovery: OriginalDestinationDiscovery, owner: EndpointOwner) {
    this.#discovery = discovery;
    this.#owner = owner;
  }

  /** Null when the destination is unknown, is no `ip:port`, or there are too many at the moment. */
  choose(context: ChooseContext): EndpointRuntime | null {
    const header = this.#discovery.useHttpHeader ? context.originalDestinationHeader : null;
    const request = header ?? context.originalDestination;
    const destination = this.#byRequest.get(request) ?? this.#create(request);
    if (destination === null) {
      if (header !== null) this.#owner.stats.inc(clusterStats.originalDstHostInvalid);
      return null;
    }
    destination.isUsed = true;
    return destination.endpoint;
  }

  *endpoints(): Generator<EndpointRuntime> {
    for (const { endpoint } of this.#destinations.values()) yield endpoint;
  }

  /** Drops what was not used since the last time; does nothing before `cleanupIntervalMs` are over. */
  cleanUp(nowMs: number): void {
    if (nowMs < this.#nextCleanUpAtMs) return;
    this.#nextCleanUpAtMs = nowMs + this.#discovery.cleanupIntervalMs;
    for (const [key, destination] of this.#destinations) {
      const { endpoint } = destination;
      if (destination.isUsed || !endpoint.isIdle) {
        destination.isUsed = false;
        continue;
      }
      this.#destinations.delete(key);
      for (const request of destination.requests) this.#byRequest.delete(request);
      endpoint.remove();
      endpoint.releaseStats();
    }
  }

  /** The cluster is gone. */
  removeAll(): void {
    for (const { endpoint } of this.#destinations.values()) endpoint.remove();
    this.#destinations.clear();
    this.#byRequest.clear();
  }

  #create(request: string): Destination | null {
    const requested = parseIpPort(request);
    if (requested === null || this.#byRequest.size >= maxOriginalDestinations) return null;
    const port = this.#discovery.portOverride ?? requested.port;
    const address: IpAddress = { kind: 'ip', ip: requested.ip, port };
    const key = formatAddress(address);
    let destination = this.#destinations.get(key);
    if (destination === undefined) {
      destination = { endpoint: this.#createEndpoint(key, address), requests: [], isUsed: true };
      this.#destinations.set(key, destination);
    }
    destination.requests.push(request);
    this.#byRequest.set(request, destination);
    return destination;
  }

  #createEndpoint(key: string, address: IpAddress): EndpointRuntime {
    return new EndpointRuntime(
      key,
      { address, hostname: '', weight: 1, health: 'unknown', metadata: {} },
      { place: { locality: { region: '', zone: '', subZone: '' }, priority: 0 }, owner: this.#owner },
    );
  }
}

interface Destination {
  readonly endpoint: EndpointRuntime;
  readonly requests: string[];
  isUsed: boolean;
}

/** `1.2.3.4:80` or `[::1]:80` with a port that can be connected to; anything else is null. */
function parseIpPort(text: string): IpAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})$/.exec(text);
  if (match === null) return null;
  const ip = match[1] ?? match[2]!;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535 || isIP(ip) !== (match[1] === undefined ? 4 : 6)) return null;
  return { kind: 'ip', ip: ip.toLowerCase(), port };
}
