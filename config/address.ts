// Where something listens or is reached. Addresses are literal: names are resolved by a cluster's discovery.

export type Address = IpAddress | PipeAddress;

export interface IpAddress {
  readonly kind: 'ip';
  /** A literal IPv4 or IPv6 address without brackets or zone, such as `127.0.0.1` or `::1`. */
  readonly ip: string;
  readonly port: number;
}

export interface PipeAddress {
  readonly kind: 'pipe';
  /** File system path of a Unix socket; a leading `@` names the abstract namespace. */
  readonly path: string;
  /** Mode bits given to the socket file, when set. */
  readonly mode?: number;
}

/** A name and port that a DNS cluster resolves. */
export interface HostAddress {
  readonly kind: 'host';
  readonly hostname: string;
  readonly port: number;
}

/** An address range: the first `prefixLength` bits of `ip`. */
export interface CidrRange {
  readonly ip: string;
  readonly prefixLength: number;
}

export interface KeepAlive {
  readonly probes?: number;
  readonly timeSeconds?: number;
  readonly intervalSeconds?: number;
}

/** `1.2.3.4:80`, `[::1]:80` or the pipe's path: Envoy's spelling in stats, logs and admin pages. */
export function formatAddress(address: Address | HostAddress): string {
  switch (address.kind) {
    case 'ip':
      return address.ip.includes(':') ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
    case 'host':
      return `${address.hostname}:${address.port}`;
    case 'pipe':
      return address.path;
  }
}

/** In gRPC's own naming: https://github.com/grpc/grpc/blob/master/doc/naming.md */
export function grpcTarget(address: Address | HostAddress): string {
  switch (address.kind) {
    case 'pipe':
      // A zero in front is how the system has the abstract namespace.
      return `unix:${address.path.replace(/^@/, '\0')}`;
    case 'host':
      return `dns:${formatAddress(address)}`;
    case 'ip':
      return `${address.ip.includes(':') ? 'ipv6' : 'ipv4'}:${formatAddress(address)}`;
  }
}
