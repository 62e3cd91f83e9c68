// Made of the BTF of outbound.bpf.o by `npm run build:bpf`; changes are made in bpf/programs/.

export const outbound = {
  programs: [
    { name: 'or_connect4', section: 'cgroup/connect4' },
    { name: 'or_connect6', section: 'cgroup/connect6' },
    { name: 'or_peer4', section: 'cgroup/getpeername4' },
    { name: 'or_peer6', section: 'cgroup/getpeername6' },
    { name: 'or_send4', section: 'cgroup/sendmsg4' },
    { name: 'or_send6', section: 'cgroup/sendmsg6' },
    { name: 'or_recv4', section: 'cgroup/recvmsg4' },
    { name: 'or_recv6', section: 'cgroup/recvmsg6' },
    { name: 'or_sockops', section: 'sockops' },
    { name: 'or_getsockopt', section: 'cgroup/getsockopt' },
  ],
  maps: [
    { name: 'sk_orig', type: 24, keyBytes: 4, valueBytes: 40, maxEntries: 0 },
    { name: 'orig', type: 9, keyBytes: 20, valueBytes: 40, maxEntries: 16384 },
    { name: 'counters', type: 2, keyBytes: 4, valueBytes: 8, maxEntries: 27 },
    { name: 'ports_out', type: 2, keyBytes: 4, valueBytes: 8192, maxEntries: 2 },
    { name: 'cidrs_out', type: 11, keyBytes: 20, valueBytes: 1, maxEntries: 1024 },
    { name: 'cgroups', type: 1, keyBytes: 8, valueBytes: 1, maxEntries: 256 },
    { name: 'uids', type: 1, keyBytes: 4, valueBytes: 1, maxEntries: 256 },
    { name: 'gids', type: 1, keyBytes: 4, valueBytes: 1, maxEntries: 256 },
    { name: 'dns_servers', type: 1, keyBytes: 16, valueBytes: 1, maxEntries: 256 },
  ],
  constants: [
    { name: 'outbound_port', offset: 0, bytes: 2, signed: false },
    { name: 'inbound_port', offset: 2, bytes: 2, signed: false },
    { name: 'dns_port', offset: 4, bytes: 2, signed: false },
    { name: 'dns_any', offset: 6, bytes: 1, signed: false },
    { name: 'proxy_mark', offset: 8, bytes: 4, signed: false },
    { name: 'proxy_cgroup', offset: 16, bytes: 8, signed: false },
    { name: 'netns_cookie', offset: 24, bytes: 8, signed: false },
    { name: 'fail_open', offset: 32, bytes: 1, signed: false },
    { name: 'captures_loopback', offset: 33, bytes: 1, signed: false },
    { name: 'captures_link_local', offset: 34, bytes: 1, signed: false },
    { name: 'default_capture', offset: 35, bytes: 1, signed: false },
    { name: 'default_cgroup', offset: 36, bytes: 1, signed: false },
    { name: 'default_user', offset: 37, bytes: 1, signed: false },
    { name: 'lists_cgroups', offset: 38, bytes: 1, signed: false },
  ],
} as const;

/** enum outbound_counter */
export const OutboundCounter = {
  CAPTURED_TCP4: 0,
  CAPTURED_TCP6: 1,
  CAPTURED_DNS: 2,
  PASSED_PROTOCOL: 3,
  PASSED_NETNS: 4,
  PASSED_PROXY_MARK: 5,
  PASSED_PROXY_CGROUP: 6,
  PASSED_UID: 7,
  PASSED_GID: 8,
  PASSED_CGROUP: 9,
  PASSED_PROXY_PORT: 10,
  PASSED_LOOPBACK: 11,
  PASSED_LINK_LOCAL: 12,
  PASSED_METADATA: 13,
  PASSED_MULTICAST: 14,
  PASSED_PORT: 15,
  PASSED_CIDR: 16,
  PASSED_NOT_INCLUDED: 17,
  PASSED_NO_LISTENER: 18,
  PASSED_NO_MEMORY: 19,
  REFUSED_NO_MEMORY: 20,
  ORIGINAL_STORED: 21,
  ORIGINAL_LOST: 22,
  ORIGINAL_ANSWERED: 23,
  ORIGINAL_UNKNOWN: 24,
  PEER_RESTORED: 25,
  SOURCE_RESTORED: 26,
} as const;

/** enum rule */
export const Rule = { EXCLUDE: 0, INCLUDE: 1 } as const;

/** enum port_rule */
export const PortRule = { PORT_EXCLUDED: 0, PORT_INCLUDED: 1 } as const;

/** struct address */
export interface Address {
  readonly ip: Uint8Array;
}

export const addressLayout = { bytes: 16, fields: [{ name: 'ip', offset: 0, bytes: 16 }] } as const;

/** A copy of what is at `offset`. */
export function readAddress(view: DataView, offset: number): Address {
  return { ip: bytesAt(view, offset, 16).slice() };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeAddress(view: DataView, offset: number, value: Address): void {
  bytesAt(view, offset, 16).set(value.ip);
}

/** struct endpoint */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
  readonly family: number;
}

export const endpointLayout = {
  bytes: 20,
  fields: [
    { name: 'address', offset: 0, bytes: 16 },
    { name: 'port', offset: 16, bytes: 2 },
    { name: 'family', offset: 18, bytes: 2 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readEndpoint(view: DataView, offset: number): Endpoint {
  return {
    address: readAddress(view, offset),
    port: view.getUint16(offset + 16),
    family: view.getUint16(offset + 18, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeEndpoint(view: DataView, offset: number, value: Endpoint): void {
  writeAddress(view, offset, value.address);
  view.setUint16(offset + 16, value.port);
  view.setUint16(offset + 18, value.family, true);
}

/** struct original */
export interface Original {
  readonly destination: Endpoint;
  readonly uid: number;
  readonly cookie: bigint;
  readonly cgroup: bigint;
}

export const originalLayout = {
  bytes: 40,
  fields: [
    { name: 'destination', offset: 0, bytes: 20 },
    { name: 'uid', offset: 20, bytes: 4 },
    { name: 'cookie', offset: 24, bytes: 8 },
    { name: 'cgroup', offset: 32, bytes: 8 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readOriginal(view: DataView, offset: number): Original {
  return {
    destination: readEndpoint(view, offset),
    uid: view.getUint32(offset + 20, true),
    cookie: view.getBigUint64(offset + 24, true),
    cgroup: view.getBigUint64(offset + 32, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeOriginal(view: DataView, offset: number, value: Original): void {
  writeEndpoint(view, offset, value.destination);
  view.setUint32(offset + 20, value.uid, true);
  view.setBigUint64(offset + 24, value.cookie, true);
  view.setBigUint64(offset + 32, value.cgroup, true);
}

/** struct peer */
export interface Peer {
  readonly address: Address;
  readonly port: number;
  readonly proxyPort: number;
}

export const peerLayout = {
  bytes: 20,
  fields: [
    { name: 'address', offset: 0, bytes: 16 },
    { name: 'port', offset: 16, bytes: 2 },
    { name: 'proxyPort', offset: 18, bytes: 2 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readPeer(view: DataView, offset: number): Peer {
  return {
    address: readAddress(view, offset),
    port: view.getUint16(offset + 16, true),
    proxyPort: view.getUint16(offset + 18, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writePeer(view: DataView, offset: number, value: Peer): void {
  writeAddress(view, offset, value.address);
  view.setUint16(offset + 16, value.port, true);
  view.setUint16(offset + 18, value.proxyPort, true);
}

/** struct port_set */
export interface PortSet {
  readonly bits: Uint8Array;
}

export const portSetLayout = { bytes: 8192, fields: [{ name: 'bits', offset: 0, bytes: 8192 }] } as const;

/** A copy of what is at `offset`. */
export function readPortSet(view: DataView, offset: number): PortSet {
  return { bits: bytesAt(view, offset, 8192).slice() };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writePortSet(view: DataView, offset: number, value: PortSet): void {
  bytesAt(view, offset, 8192).set(value.bits);
}

/** struct cidr */
export interface Cidr {
  readonly prefixBits: number;
  readonly address: Address;
}

export const cidrLayout = {
  bytes: 20,
  fields: [
    { name: 'prefixBits', offset: 0, bytes: 4 },
    { name: 'address', offset: 4, bytes: 16 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readCidr(view: DataView, offset: number): Cidr {
  return { prefixBits: view.getUint32(offset, true), address: readAddress(view, offset + 4) };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeCidr(view: DataView, offset: number, value: Cidr): void {
  view.setUint32(offset, value.prefixBits, true);
  writeAddress(view, offset + 4, value.address);
}

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  if (offset + length > view.byteLength) throw new RangeError('the struct ends beyond the view');
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
