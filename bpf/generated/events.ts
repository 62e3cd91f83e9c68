// Made of the BTF of events.bpf.o by `npm run build:bpf`; changes are made in bpf/programs/.

export const events = {
  programs: [{ name: 'or_ev_sockops', section: 'sockops' }],
  maps: [
    { name: 'sk_orig', type: 24, keyBytes: 4, valueBytes: 40, maxEntries: 0 },
    { name: 'counters', type: 2, keyBytes: 4, valueBytes: 8, maxEntries: 4 },
    { name: 'events', type: 27, keyBytes: 0, valueBytes: 0, maxEntries: 1048576 },
    { name: 'connections', type: 24, keyBytes: 4, valueBytes: 24, maxEntries: 0 },
  ],
  constants: [{ name: 'sample_one_in', offset: 0, bytes: 4, signed: false }],
} as const;

/** enum events_counter */
export const EventsCounter = {
  EVENTS_WRITTEN: 0,
  EVENTS_LOST: 1,
  CONNECTIONS_SKIPPED: 2,
  CONNECTIONS_NO_MEMORY: 3,
} as const;

/** enum event_kind */
export const EventKind = { OPENED_ACTIVE: 0, OPENED_PASSIVE: 1, CLOSED: 2, CONNECT_FAILED: 3 } as const;

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

/** struct connection */
export interface Connection {
  readonly beganNs: bigint;
  readonly cgroup: bigint;
  readonly isReported: number;
  readonly unused: number;
}

export const connectionLayout = {
  bytes: 24,
  fields: [
    { name: 'beganNs', offset: 0, bytes: 8 },
    { name: 'cgroup', offset: 8, bytes: 8 },
    { name: 'isReported', offset: 16, bytes: 4 },
    { name: 'unused', offset: 20, bytes: 4 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readConnection(view: DataView, offset: number): Connection {
  return {
    beganNs: view.getBigUint64(offset, true),
    cgroup: view.getBigUint64(offset + 8, true),
    isReported: view.getUint32(offset + 16, true),
    unused: view.getUint32(offset + 20, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeConnection(view: DataView, offset: number, value: Connection): void {
  view.setBigUint64(offset, value.beganNs, true);
  view.setBigUint64(offset + 8, value.cgroup, true);
  view.setUint32(offset + 16, value.isReported, true);
  view.setUint32(offset + 20, value.unused, true);
}

/** struct connection_event */
export interface ConnectionEvent {
  readonly timeNs: bigint;
  readonly durationNs: bigint;
  readonly cookie: bigint;
  readonly cgroup: bigint;
  readonly netns: bigint;
  readonly bytesReceived: bigint;
  readonly bytesAcked: bigint;
  readonly srttUs: number;
  readonly minRttUs: number;
  readonly retransmits: number;
  readonly kind: number;
  readonly lastState: number;
  readonly local: Address;
  readonly remote: Address;
  readonly original: Address;
  readonly localPort: number;
  readonly remotePort: number;
  readonly originalPort: number;
  readonly family: number;
}

export const connectionEventLayout = {
  bytes: 128,
  fields: [
    { name: 'timeNs', offset: 0, bytes: 8 },
    { name: 'durationNs', offset: 8, bytes: 8 },
    { name: 'cookie', offset: 16, bytes: 8 },
    { name: 'cgroup', offset: 24, bytes: 8 },
    { name: 'netns', offset: 32, bytes: 8 },
    { name: 'bytesReceived', offset: 40, bytes: 8 },
    { name: 'bytesAcked', offset: 48, bytes: 8 },
    { name: 'srttUs', offset: 56, bytes: 4 },
    { name: 'minRttUs', offset: 60, bytes: 4 },
    { name: 'retransmits', offset: 64, bytes: 4 },
    { name: 'kind', offset: 68, bytes: 2 },
    { name: 'lastState', offset: 70, bytes: 2 },
    { name: 'local', offset: 72, bytes: 16 },
    { name: 'remote', offset: 88, bytes: 16 },
    { name: 'original', offset: 104, bytes: 16 },
    { name: 'localPort', offset: 120, bytes: 2 },
    { name: 'remotePort', offset: 122, bytes: 2 },
    { name: 'originalPort', offset: 124, bytes: 2 },
    { name: 'family', offset: 126, bytes: 2 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readConnectionEvent(view: DataView, offset: number): ConnectionEvent {
  return {
    timeNs: view.getBigUint64(offset, true),
    durationNs: view.getBigUint64(offset + 8, true),
    cookie: view.getBigUint64(offset + 16, true),
    cgroup: view.getBigUint64(offset + 24, true),
    netns: view.getBigUint64(offset + 32, true),
    bytesReceived: view.getBigUint64(offset + 40, true),
    bytesAcked: view.getBigUint64(offset + 48, true),
    srttUs: view.getUint32(offset + 56, true),
    minRttUs: view.getUint32(offset + 60, true),
    retransmits: view.getUint32(offset + 64, true),
    kind: view.getUint16(offset + 68, true),
    lastState: view.getUint16(offset + 70, true),
    local: readAddress(view, offset + 72),
    remote: readAddress(view, offset + 88),
    original: readAddress(view, offset + 104),
    localPort: view.getUint16(offset + 120, true),
    remotePort: view.getUint16(offset + 122, true),
    originalPort: view.getUint16(offset + 124, true),
    family: view.getUint16(offset + 126, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeConnectionEvent(view: DataView, offset: number, value: ConnectionEvent): void {
  view.setBigUint64(offset, value.timeNs, true);
  view.setBigUint64(offset + 8, value.durationNs, true);
  view.setBigUint64(offset + 16, value.cookie, true);
  view.setBigUint64(offset + 24, value.cgroup, true);
  view.setBigUint64(offset + 32, value.netns, true);
  view.setBigUint64(offset + 40, value.bytesReceived, true);
  view.setBigUint64(offset + 48, value.bytesAcked, true);
  view.setUint32(offset + 56, value.srttUs, true);
  view.setUint32(offset + 60, value.minRttUs, true);
  view.setUint32(offset + 64, value.retransmits, true);
  view.setUint16(offset + 68, value.kind, true);
  view.setUint16(offset + 70, value.lastState, true);
  writeAddress(view, offset + 72, value.local);
  writeAddress(view, offset + 88, value.remote);
  writeAddress(view, offset + 104, value.original);
  view.setUint16(offset + 120, value.localPort, true);
  view.setUint16(offset + 122, value.remotePort, true);
  view.setUint16(offset + 124, value.originalPort, true);
  view.setUint16(offset + 126, value.family, true);
}

/** A struct address in place. Integers of 64 bits are numbers here, exact up to 2 ** 53; bytes are not copied. */
export class AddressView {
  #view: DataView = new DataView(new ArrayBuffer(16));
  #offset = 0;

  moveTo(view: DataView, offset: number): void {
    this.#view = view;
    this.#offset = offset;
  }

  get ip(): Uint8Array {
    return bytesAt(this.#view, this.#offset, 16);
  }
}

/** A struct connection_event in place. Integers of 64 bits are numbers here, exact up to 2 ** 53; bytes are not copied. */
export class ConnectionEventView {
  #view: DataView = new DataView(new ArrayBuffer(128));
  #offset = 0;
  readonly local = new AddressView();
  readonly remote = new AddressView();
  readonly original = new AddressView();

  moveTo(view: DataView, offset: number): void {
    this.#view = view;
    this.#offset = offset;
    this.local.moveTo(view, offset + 72);
    this.remote.moveTo(view, offset + 88);
    this.original.moveTo(view, offset + 104);
  }

  get timeNs(): number {
    return this.#view.getUint32(this.#offset + 4, true) * 4294967296 + this.#view.getUint32(this.#offset, true);
  }

  get durationNs(): number {
    return this.#view.getUint32(this.#offset + 12, true) * 4294967296 + this.#view.getUint32(this.#offset + 8, true);
  }

  get cookie(): number {
    return this.#view.getUint32(this.#offset + 20, true) * 4294967296 + this.#view.getUint32(this.#offset + 16, true);
  }

  get cgroup(): number {
    return this.#view.getUint32(this.#offset + 28, true) * 4294967296 + this.#view.getUint32(this.#offset + 24, true);
  }

  get netns(): number {
    return this.#view.getUint32(this.#offset + 36, true) * 4294967296 + this.#view.getUint32(this.#offset + 32, true);
  }

  get bytesReceived(): number {
    return this.#view.getUint32(this.#offset + 44, true) * 4294967296 + this.#view.getUint32(this.#offset + 40, true);
  }

  get bytesAcked(): number {
    return this.#view.getUint32(this.#offset + 52, true) * 4294967296 + this.#view.getUint32(this.#offset + 48, true);
  }

  get srttUs(): number {
    return this.#view.getUint32(this.#offset + 56, true);
  }

  get minRttUs(): number {
    return this.#view.getUint32(this.#offset + 60, true);
  }

  get retransmits(): number {
    return this.#view.getUint32(this.#offset + 64, true);
  }

  get kind(): number {
    return this.#view.getUint16(this.#offset + 68, true);
  }

  get lastState(): number {
    return this.#view.getUint16(this.#offset + 70, true);
  }

  get localPort(): number {
    return this.#view.getUint16(this.#offset + 120, true);
  }

  get remotePort(): number {
    return this.#view.getUint16(this.#offset + 122, true);
  }

  get originalPort(): number {
    return this.#view.getUint16(this.#offset + 124, true);
  }

  get family(): number {
    return this.#view.getUint16(this.#offset + 126, true);
  }
}

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  if (offset + length > view.byteLength) throw new RangeError('the struct ends beyond the view');
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
