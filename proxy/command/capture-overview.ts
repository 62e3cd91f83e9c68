// What is told about redirection, by `/capture`, `/ready` and the live page.

export interface CaptureOverview {
  /** As `--capture` has it. */
  readonly asked: string;
  /** Who redirects: `eBPF`, `iptables`, `a node agent`. Null when nobody does. */
  readonly by: string | null;
  /** Why connections are not captured as was asked for: the proxy is not ready. Null when they are. */
  readonly problem: string | null;
  /** A sentence for each way that was tried before, and for what is to be known about this one. */
  readonly notes: readonly string[];
  /** What happens to connections while no proxy listens. */
  readonly policy: 'open' | 'closed';
  /** Listening sockets that inbound connections are given to; iptables has none. */
  readonly inbound: readonly string[];
  readonly counters: readonly CaptureCounters[];
}

/** Connections since the programs were loaded, by what became of them. */
export interface CaptureCounters {
  /** `outbound`, `inbound`, `short-circuit`, `events`. */
  readonly group: string;
  /** Names such as `captured`, `passed_loopback`, in the order of the program. */
  readonly counts: Readonly<Record<string, number>>;
}
