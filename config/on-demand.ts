// What requests may wait for: it is asked of the control plane when a request needs it
// (`extensions.filters.http.on_demand.v3`).

/** One thing that is asked for. */
export type OnDemandName =
  /** The virtual host of this authority (lower case), in a route configuration whose virtual hosts arrive apart (VHDS). */
  | { readonly kind: 'virtual-host'; readonly routeConfiguration: string; readonly host: string }
  | { readonly kind: 'cluster'; readonly name: string };

/** The filter of a connection manager. */
export interface OnDemandFilter {
  /** Under which routes configure it. */
  readonly name: string;
  /** Absent: clusters are not asked for. */
  readonly clusters?: OnDemandClusters;
}

/** They come over the aggregated stream. */
export interface OnDemandClusters {
  /** 0 is none. */
  readonly timeoutMs: number;
}

/** Why a request goes on without what it waited for. */
export type OnDemandRefusal =
  /** The control plane says so, or nobody can be asked. */
  | 'absent'
  /** As many names as may be are waited for. */
  | 'overflow';

/** A name that was asked for, as an operator sees it. */
export interface OnDemandStatus {
  readonly kind: OnDemandName['kind'];
  /** As it is subscribed to. */
  readonly name: string;
  /** `unanswered`: nobody waits for it any more, and the control plane has not spoken of it. */
  readonly state: 'waiting' | 'present' | 'absent' | 'unanswered';
}
