// Counts finished requests for Istio's metrics: `istio_requests_total`, duration and sizes, with the tags of Istio.
// https://istio.io/latest/docs/reference/config/metrics/
//
// What a request has in common with others is found by steps over what is there already (the cluster, the peer, the
// identities), each of which remembers the last one: of a connection's requests nearly all go the same way. Tags become
// text when a series is first used.

import type { IstioStats } from '../../config/istio-filter.ts';
import type { FormatContext } from '../format/format-context.ts';
import type { Stream } from '../http/stream.ts';
import { responseFlagNames, type StreamInfo } from '../http/stream-info.ts';
import { receivedGrpcStatus } from '../tracing/grpc-outcome.ts';
import { isGrpc } from '../tracing/span-attributes.ts';
import type { MetricSeries, SeriesEntry } from './metric-series.ts';
import type { MetricGroup, RequestParts } from './metric-tags.ts';
import {
  namesDestination,
  namesService,
  principalsOf,
  serviceOf,
  type TrafficTags,
  trafficTags,
} from './tag-values.ts';
import { type Workload, workloadOfEndpoint } from './workload.ts';

export interface IstioRequestStatsOptions {
  readonly config: IstioStats;
  readonly groups: readonly MetricGroup[];
  readonly series: MetricSeries;
  readonly own: Workload;
  readonly isOutbound: boolean;
}

export class IstioRequestStats {
  readonly #options: IstioRequestStatsOptions;
  /** Operators' tags are made of the request's host or method. */
  readonly #usesParts: boolean;
  #root = new TrafficNode();
  #nodes = 0;
  #version = -1;

  constructor(options: IstioRequestStatsOptions) {
    this.#options = options;
    this.#usesParts = Object.values(options.config.overrides).some(({ tags }) =>
      Object.values(tags).some(({ kind }) => kind === 'request'),
    );
  }

  /** Once a request, when it is over. */
  count(stream: Stream, context: FormatContext): void {
    const { info, head } = stream;
    const grpc = isGrpc(head);
    const status = grpc ? knownGrpcStatus(receivedGrpcStatus(context)) : NO_STATUS;
    const node = this.#nodeOf(stream);
    const outcome = outcomeOf(info, grpc, status);
    const entries = node.outcomes.get(outcome) ?? this.#open(node, outcome, stream, grpc ? status : NO_GRPC);
    const { groups } = this.#options;
    for (let at = 0; at < groups.length; at++) record(groups[at]!, entries[at]!, info);
  }

  #nodeOf(stream: Stream): TrafficNode {
    const { series, isOutbound, config } = this.#options;
    if (this.#version !== series.version || this.#nodes > MAX_NODES) this.#forget();
    const { cluster, head, info } = stream;
    const tls = isOutbound ? info.upstreamTls : info.downstreamTls;
    const names = cluster !== null && namesService(cluster);
    // Not the cluster itself, which would be held when it is gone.
    let node = this.#step(this.#root, cluster === null ? null : cluster.config.metadata);
    node = this.#step(node, cluster === null ? '' : cluster.name);
    node = this.#step(node, namesDestination(info.routeName) ? info.routeName : '');
    node = this.#step(node, config.usesHostHeader && !names ? head.authority : '');
    node = this.#step(node, stream.peer ?? (isOutbound ? info.endpointMetadata : null));
    node = this.#step(node, tls?.isPeerVerified === true ? tls.peer?.uris[0] : '');
    node = this.#step(node, tls?.own?.uris[0]);
    if (this.#usesParts) node = this.#step(this.#step(node, head.authority), head.method);
    return node;
  }

  #step(node: TrafficNode, key: unknown): TrafficNode {
    if (node.lastKey === key && node.last !== null) return node.last;
    let next = node.next.get(key);
    if (next === undefined) {
      next = new TrafficNode();
      node.next.set(key, next);
      this.#nodes++;
    }
    node.lastKey = key;
    node.last = next;
    return next;
  }

  #forget(): void {
    this.#root = new TrafficNode();
    this.#nodes = 0;
    this.#version = this.#options.series.version;
  }

  #open(node: TrafficNode, outcome: number, stream: Stream, grpcStatus: number): readonly SeriesEntry[] {
    const { info, head } = stream;
    const { groups, series } = this.#options;
    const tags = {
      ...this.#trafficOf(stream),
      request_protocol: grpcStatus === NO_GRPC ? 'http' : 'grpc',
      response_code: String(knownCode(info.responseCode)),
      grpc_response_status: grpcStatus < 0 ? '' : String(grpcStatus),
      response_flags: responseFlagsText(info.responseFlags),
    };
    const parts: RequestParts = { host: head.authority, method: head.method };
    const entries: SeriesEntry[] = [];
    for (const group of groups) {
      const names = group.names(tags, parts);
      entries.push(series.open({ set: group.set, names, otherNames: group.otherNames(names) }));
    }
    node.outcomes.set(outcome, entries);
    this.#nodes++;
    return entries;
  }

  #trafficOf(stream: Stream): TrafficTags {
    const { isOutbound, own, config } = this.#options;
    const { info, cluster, head } = stream;
    const peer = stream.peer ?? (isOutbound ? endpointWorkload(info) : null);
    const principals = principalsOf(isOutbound ? info.upstreamTls : info.downstreamTls);
    const host = config.usesHostHeader ? head.authority : '';
    const service = serviceOf(cluster, info.routeName, host);
    return trafficTags({ isOutbound, own, peer, principals, service });
  }
}

/** What the control plane says of the endpoint that a request went to. */
export function endpointWorkload({ endpointMetadata }: StreamInfo): Workload | null {
  const text = endpointMetadata?.['istio']?.['workload'];
  return typeof text === 'string' ? workloadOfEndpoint(text) : null;
}

/** `-`, or the short names of what went wrong. */
export function responseFlagsText(flags: number): string {
  if (flags === 0) return '-';
  return responseFlagNames
    .filter(({ bit }) => (flags & bit) !== 0)
    .map(({ short }) => short)
    .join(',');
}

/** One step on the way to what is counted together. */
class TrafficNode {
  readonly next = new Map<unknown, TrafficNode>();
  readonly outcomes = new Map<number, readonly SeriesEntry[]>();
  lastKey: unknown = null;
  last: TrafficNode | null = null;
}

function record({ index }: MetricGroup, entry: SeriesEntry, info: StreamInfo): void {
  const { block } = entry;
  entry.isUsed = true;
  if (index.requests_total !== undefined) block.inc(index.requests_total);
  if (index.request_duration_milliseconds !== undefined)
    block.record(index.request_duration_milliseconds, info.endedAtMs - info.startedAtMs);
  if (index.request_bytes !== undefined)
    block.record(index.request_bytes, info.requestHeaderBytes + info.requestBodyBytes);
  if (index.response_bytes !== undefined)
    block.record(index.response_bytes, info.responseHeaderBytes + info.responseBodyBytes);
}

/** How a request ended, as one number: flags, status, whether it is gRPC, and gRPC's status. */
function outcomeOf(info: StreamInfo, grpc: boolean, grpcStatus: number): number {
  const ofGrpc = grpc ? grpcStatus + 2 : 0;
  return (info.responseFlags * 1024 + knownCode(info.responseCode)) * 1024 + ofGrpc;
}

/** Numbers that are not gRPC's are made by a peer, who must not make series. */
function knownGrpcStatus(status: number): number {
  return status <= LAST_GRPC_STATUS ? status : NO_STATUS;
}

/** Codes are of three digits; others a peer might invent. */
function knownCode(code: number): number {
  return code >= 100 && code < 1000 ? code : 0;
}

const LAST_GRPC_STATUS = 16;
const NO_STATUS = -1;
const NO_GRPC = -2;
/** Beyond it all are forgotten, and found again: clients may invent hosts. */
const MAX_NODES = 20_000;
