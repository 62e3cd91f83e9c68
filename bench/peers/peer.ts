// What the suites know of a proxy under comparison: how to install it, and how to start it with the features of a
// profile. Everything that differs between proxies is behind this seam, so that no measurement can favour one.

import type { TlsFiles } from './tls-files.ts';

export type PeerName = 'outrigger' | 'outrigger-uws' | 'envoy' | 'nginx' | 'haproxy';

// bare: what Envoy's FAQ asks for in a benchmark. mesh: what a sidecar does for a living (access log, retries, …).
export type Profile = 'bare' | 'mesh';

export type PeerSetup = {
  // Scratch directory of this process, already made.
  readonly directory: string;
  readonly profile: Profile;
  readonly httpPort: number;
  readonly tcpPort: number;
  readonly adminPort: number;
  readonly originPort: number;
  // gRPC port of a control plane on loopback that has the rest of the configuration; undefined: all is in the bootstrap.
  readonly controlPlanePort?: number | undefined;
  readonly telemetry?: TelemetrySetup | undefined;
  readonly tls?: TlsSetup | undefined;
  // Number of clusters and of virtual hosts; 1 means one virtual host that takes every authority.
  readonly clusters: number;
};

// Of the HTTP listener, and of the connections to the origin or to another proxy.
export type TlsSetup = {
  readonly files: TlsFiles;
  // mutual: a client must have a certificate.
  readonly downstream: 'none' | 'server' | 'mutual';
  readonly upstream: 'none' | 'mutual';
};

// Spans to a collector on loopback, over OTLP with HTTP.
export type TelemetrySetup = {
  readonly collectorPort: number;
  // Share of requests that Envoy's settings choose, 0 to 100; null: no tracing, and all else as with it.
  readonly percent: number | null;
  // Outrigger's own rules in their place, as the text of its sampling file.
  readonly samplingFile?: string;
};

export type Peer = {
  readonly name: PeerName;
  // Makes the program available; throws an Error with one sentence for the reader when it cannot.
  install(): void;
  version(): string;
  // Writes the configuration into setup.directory and returns the command line, one worker.
  prepare(setup: PeerSetup): readonly string[];
};

// The authority of virtual host `index` when there are several.
export function virtualHostDomain(index: number): string {
  return `service-${index}.example`;
}
