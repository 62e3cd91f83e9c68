// The stage at which a request waits for what the control plane is asked for: the virtual host of its authority, or its
// cluster. Nothing of it runs for a request that finds both.
//
// Whatever comes, comes with a snapshot, as all configuration does: after each one, those who wait look again. Only that
// something is not to come is told (`refuse`). A name is asked for once, however many requests wait for it, and let go with
// the last of them. Body bytes of a request that waits stay with its client.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/on_demand_updates_filter

import { parseIpAddress } from '../../config/ip-address.ts';
import type { OnDemandClusters, OnDemandName, OnDemandRefusal } from '../../config/on-demand.ts';
import { asciiLowerCase } from '../route/ascii-case.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { LocalReplies } from './local-reply.ts';
import { StreamDeadline } from './response-sender.ts';
import type { Stream } from './stream.ts';

/** Names that requests of one worker wait for. */
const maxWaiting = 1024;
/** … and those of all workers together. */
const maxWaitingOfAll = 2048;
const minWaiting = 16;
/** A longer authority or cluster name is not asked for: requests choose them, and the control plane keeps them. */
const maxNameLength = 1024;

/** While a request waits, no attempt of it runs: its slot is free. */
const waitDeadline = StreamDeadline.perTry;

/** The requests that wait for one name. */
export interface OnDemandWait {
  readonly name: OnDemandName;
  readonly streams: Set<Stream>;
  /** The network of the client that asked first: the name counts as one of its. */
  readonly client: string;
}

/** Why nothing is waited for: there is no room, or what is left of it is for other clients. */
export type WaitRefusal = 'full' | 'full-for-client';

/** For each of so many workers. */
export function waitingNamesOf(workers: number): number {
  return Math.max(minWaiting, Math.min(maxWaiting, Math.floor(maxWaitingOfAll / workers)));
}

export interface OnDemandOptions {
  readonly ask: (name: OnDemandName) => void;
  /** Nobody waits for it any more. */
  readonly leave: (name: OnDemandName) => void;
  readonly maxWaiting?: number;
}

export class OnDemandWaits {
  readonly #options: OnDemandOptions;
  readonly #waits = new Map<string, OnDemandWait>();
  /** How many names each client has. */
  readonly #ofClient = new Map<string, number>();

  constructor(options: OnDemandOptions) {
    this.#options = options;
  }

  /**
   * A client has no more names than are free: half of them where it is alone, and there is always room for one more client
   * (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches").
   */
  join(name: OnDemandName, stream: Stream): OnDemandWait | WaitRefusal {
    const key = keyOf(name);
    const known = this.#waits.get(key);
    if (known !== undefined) {
      known.streams.add(stream);
      return known;
    }
    const client = networkOf(stream.facts.remoteIp);
    const own = this.#ofClient.get(client) ?? 0;
    const free = (this.#options.maxWaiting ?? maxWaiting) - this.#waits.size;
    if (free <= 0) return 'full';
    if (own >= free) return 'full-for-client';
    const wait = { name, streams: new Set([stream]), client };
    this.#waits.set(key, wait);
    this.#ofClient.set(client, own + 1);
    this.#options.ask(name);
    return wait;
  }

  /** The stream does not wait any more, for whatever reason. */
  leave(wait: OnDemandWait, stream: Stream): void {
    wait.streams.delete(stream);
    if (wait.streams.size > 0) return;
    this.#waits.delete(keyOf(wait.name));
    const left = this.#ofClient.get(wait.client)! - 1;
    if (left === 0) this.#ofClient.delete(wait.client);
    else this.#ofClient.set(wait.client, left);
    this.#options.leave(wait.name);
  }

  /** It is not to come. */
  refuse(name: OnDemandName, why: OnDemandRefusal): void {
    const wait = this.#waits.get(keyOf(name));
    if (wait === undefined) return;
    for (const stream of wait.streams) {
      if (why === 'absent') stream.endWait();
      else {
        leaveWait(stream);
        refuseWait(stream, 'full');
      }
    }
  }

  /** The configuration has changed. */
  lookAgain(): void {
    for (const { name, streams } of this.#waits.values()) {
      for (const stream of streams) if (isThere(name, stream)) stream.endWait();
    }
  }
}

/** Whether the request waits for the virtual host of its authority from here on, or is refused for want of room. */
export function awaitsVirtualHost(stream: Stream): boolean {
  const { manager, head } = stream;
  const { authority } = head;
  const { hasVirtualHostSource, name } = manager.routes.config;
  if (manager.config.onDemand === undefined || hasVirtualHostSource !== true) return false;
  if (authority === '' || authority.length > maxNameLength) return false;
  if (manager.routes.findVirtualHost(authority) !== null) return false;
  // No time of its own, as in Envoy: `stream_idle_timeout` ends it.
  wait(stream, { kind: 'virtual-host', routeConfiguration: name, host: asciiLowerCase(authority) }, 0);
  return true;
}

/** The same for the cluster that its route names. */
export function awaitsCluster(stream: Stream, route: CompiledRoute, cluster: string): boolean {
  const { onDemand } = stream.manager.config;
  if (onDemand === undefined || cluster === '' || cluster.length > maxNameLength) return false;
  const clusters = clustersOf(route, onDemand.name, onDemand.clusters);
  if (clusters === undefined) return false;
  wait(stream, { kind: 'cluster', name: cluster }, clusters.timeoutMs);
  return true;
}

/** 0 ms is for ever. `endWait` of the stream follows, unless it ends before. */
function wait(stream: Stream, name: OnDemandName, timeoutMs: number): void {
  const joined = stream.manager.context.onDemand.join(name, stream);
  if (typeof joined === 'string') {
    refuseWait(stream, joined);
    return;
  }
  stream.wait = joined;
  const { deadlines } = stream.sender;
  deadlines.set(waitDeadline, timeoutMs);
  // Nobody reads the body: that it does not come is not its client's fault.
  deadlines.clear(StreamDeadline.request);
}

/** The request waits no longer, if it did. */
export function leaveWait(stream: Stream): void {
  const { wait: left } = stream;
  if (left === null) return;
  stream.wait = null;
  stream.sender.deadlines.clear(waitDeadline);
  stream.manager.context.onDemand.leave(left, stream);
}

const refusals: Readonly<Record<WaitRefusal, string>> = {
  full: 'as many names as may be are waited for (on_demand)',
  'full-for-client': 'this client waits for as many names as are left for others (on_demand)',
};

function refuseWait(stream: Stream, why: WaitRefusal): void {
  if (stream.route === null) stream.manager.stats.inc(httpStats.rqTotal);
  stream.replyLocally(LocalReplies.onDemandOverflow, refusals[why]);
}

/** By what is set nearest to the request: the route, its virtual host, the route configuration, then the filter. */
function clustersOf(
  { config, virtualHost, action }: CompiledRoute,
  filterName: string,
  ofFilter: OnDemandClusters | undefined,
): OnDemandClusters | undefined {
  const weighted = action.kind === 'forward' ? action.weighted?.perFilterConfig[filterName] : undefined;
  const own =
    weighted ??
    config.perFilterConfig[filterName] ??
    virtualHost.config.perFilterConfig[filterName] ??
    virtualHost.routeConfiguration.perFilterConfig?.[filterName];
  if (own === undefined) return ofFilter;
  if (own.disabled) return undefined;
  return own.onDemand === undefined ? ofFilter : own.onDemand.clusters;
}

function isThere(name: OnDemandName, { manager, head }: Stream): boolean {
  if (name.kind === 'cluster') return manager.context.clusters.get(name.name) !== null;
  return manager.routes.findVirtualHost(head.authority) !== null;
}

/** Whoever has an IPv6 address has the 2^64 of its network (RFC 4291 section 2.5.1), and would be as many clients. */
function networkOf(ip: string): string {
  const bits = parseIpAddress(ip);
  return typeof bits === 'bigint' ? `${(bits >> 64n).toString(16)}::/64` : ip;
}

function keyOf(name: OnDemandName): string {
  return name.kind === 'cluster' ? `cluster ${name.name}` : `host ${name.routeConfiguration}/${name.host}`;
}
