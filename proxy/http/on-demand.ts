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
import { newestOf, Shares } from './on-demand-shares.ts';
import { StreamDeadline } from './response-sender.ts';
import type { Stream } from './stream.ts';

/** Names that requests of one worker wait for. */
const maxWaiting = 1024;
/** … and those of all workers together, of which each has one at least. */
const maxWaitingOfAll = 2048;
/** A longer authority or cluster name is not asked for: requests choose them, and the control plane keeps them. */
const maxNameLength = 1024;

/** While a request waits, no attempt of it runs: its slot is free. */
const waitDeadline = StreamDeadline.perTry;

/** A name that is waited for. */
interface WaitedName {
  readonly name: OnDemandName;
  /** Of each client. */
  readonly waits: Map<string, OnDemandWait>;
  /** The client that it counts as one of; one that waits for it. */
  owner: string;
}

/** The requests of one client that wait for one name. */
export interface OnDemandWait {
  readonly waited: WaitedName;
  /** Its network. */
  readonly client: string;
  readonly streams: Set<Stream>;
}

/** Why a request does not wait, or no longer: there is no room, or somebody had less of it. */
export type WaitRefusal = 'full' | 'displaced';

/** For each of so many workers. */
export function waitingNamesOf(workers: number): number {
  return Math.max(1, Math.min(maxWaiting, Math.floor(maxWaitingOfAll / workers)));
}

export interface OnDemandOptions {
  readonly ask: (name: OnDemandName) => void;
  /** Nobody waits for it any more. */
  readonly leave: (name: OnDemandName) => void;
  readonly maxWaiting?: number;
}

export class OnDemandWaits {
  readonly #options: OnDemandOptions;
  readonly #waited = new Map<string, WaitedName>();
  /** Of these names, each that of its owner. */
  readonly #shares = new Shares<WaitedName>();
  /** They had to make room and were not told yet. */
  readonly #displaced: Stream[] = [];
  #isRefusing = false;

  constructor(options: OnDemandOptions) {
    this.#options = options;
  }

  /** `refuseDisplaced` is to follow, once the stream is as it is to be. */
  join(name: OnDemandName, stream: Stream): OnDemandWait | 'full' {
    const key = keyOf(name);
    const client = networkOf(stream.facts.remoteIp);
    let waited = this.#waited.get(key);
    if (waited === undefined) {
      if (!this.#makesRoom(client)) return 'full';
      waited = { name, waits: new Map(), owner: client };
      this.#waited.set(key, waited);
      this.#shares.add(client, waited);
      this.#options.ask(name);
    }
    let wait = waited.waits.get(client);
    if (wait === undefined) {
      wait = { waited, client, streams: new Set() };
      waited.waits.set(client, wait);
    }
    wait.streams.add(stream);
    return wait;
  }

  /** A name of who has the most of them goes, so that all have as many before anybody new is refused. */
  #makesRoom(client: string): boolean {
    const own = this.#shares.heldBy(client);
    while (this.#waited.size >= (this.#options.maxWaiting ?? maxWaiting)) {
      const { greediest } = this.#shares;
      if (greediest === undefined || greediest.held.size <= own + 1) return false;
      const wait = newestOf(greediest).waits.get(greediest.client)!;
      // A name for which others wait as well stays: it is one of theirs now.
      for (const stream of wait.streams) {
        this.#displaced.push(stream);
        leaveWait(stream);
      }
    }
    return true;
  }

  /** A reply may let its client send the next request, which comes back here: those that it displaces are told behind. */
  refuseDisplaced(): void {
    if (this.#isRefusing) return;
    this.#isRefusing = true;
    for (let stream = this.#displaced.pop(); stream !== undefined; stream = this.#displaced.pop()) {
      refuseWait(stream, 'displaced');
    }
    this.#isRefusing = false;
  }

  /** The stream does not wait any more, for whatever reason. */
  leave({ waited, client, streams }: OnDemandWait, stream: Stream): void {
    streams.delete(stream);
    if (streams.size > 0) return;
    const { name, waits, owner } = waited;
    waits.delete(client);
    if (owner !== client) return;
    this.#shares.delete(client, waited);
    const [next] = waits.keys();
    if (next === undefined) {
      this.#waited.delete(keyOf(name));
      this.#options.leave(name);
    } else {
      waited.owner = next;
      this.#shares.add(next, waited);
    }
  }

  /** It is not to come. */
  refuse(name: OnDemandName, why: OnDemandRefusal): void {
    for (const { streams } of this.#waited.get(keyOf(name))?.waits.values() ?? []) {
      for (const stream of streams) {
        if (why === 'absent') stream.endWait();
        else {
          leaveWait(stream);
          refuseWait(stream, 'full');
        }
      }
    }
  }

  /** The configuration has changed. */
  lookAgain(): void {
    for (const { name, waits } of this.#waited.values()) {
      for (const { streams } of waits.values()) {
        for (const stream of streams) if (isThere(name, stream)) stream.endWait();
      }
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
  const { onDemand } = stream.manager.context;
  const joined = onDemand.join(name, stream);
  if (joined === 'full') refuseWait(stream, joined);
  else {
    stream.wait = joined;
    const { deadlines } = stream.sender;
    deadlines.set(waitDeadline, timeoutMs);
    // Nobody reads the body: that it does not come is not its client's fault.
    deadlines.clear(StreamDeadline.request);
  }
  onDemand.refuseDisplaced();
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
  displaced: 'this client waited for more names than others, who need the room (on_demand)',
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
