// Made of the BTF of shortcut.bpf.o by `npm run build:bpf`; changes are made in bpf/programs/.

export const shortcut = {
  programs: [
    { name: 'or_sc_sockops', section: 'sockops' },
    { name: 'or_sc_msg', section: 'sk_msg' },
  ],
  maps: [
    { name: 'ends_sc', type: 24, keyBytes: 4, valueBytes: 128, maxEntries: 0 },
    { name: 'socks', type: 18, keyBytes: 48, valueBytes: 8, maxEntries: 65536 },
    { name: 'counters', type: 2, keyBytes: 4, valueBytes: 8, maxEntries: 12 },
    { name: 'flows', type: 9, keyBytes: 48, valueBytes: 24, maxEntries: 8192 },
    { name: 'ports_sc', type: 1, keyBytes: 2, valueBytes: 1, maxEntries: 64 },
    { name: 'control', type: 2, keyBytes: 4, valueBytes: 4, maxEntries: 1 },
  ],
  constants: [{ name: 'burst_limit', offset: 0, bytes: 4, signed: false }],
} as const;

/** enum shortcut_counter */
export const ShortcutCounter = {
  ENDS_TAKEN: 0,
  ENDS_CLOSED: 1,
  ENDS_REFUSED: 2,
  ENDS_NO_MEMORY: 3,
  REDIRECTED_MESSAGES: 4,
  REDIRECTED_BYTES: 5,
  LEFT_BY_BURST: 6,
  LEFT_WITHOUT_PEER: 7,
  LEFT_BY_EARLIER_BYTES: 8,
  LEFT_BY_SWITCH: 9,
  LEFT_WITH_OTHER: 10,
  LEFT_BY_REMOVAL: 11,
} as const;

/** enum control */
export const Control = { TURNED_OFF: 0 } as const;

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

/** struct ends */
export interface Ends {
  readonly local: Address;
  readonly remote: Address;
  readonly localPort: number;
  readonly remotePort: number;
}

export const endsLayout = {
  bytes: 36,
  fields: [
    { name: 'local', offset: 0, bytes: 16 },
    { name: 'remote', offset: 16, bytes: 16 },
    { name: 'localPort', offset: 32, bytes: 2 },
    { name: 'remotePort', offset: 34, bytes: 2 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readEnds(view: DataView, offset: number): Ends {
  return {
    local: readAddress(view, offset),
    remote: readAddress(view, offset + 16),
    localPort: view.getUint16(offset + 32, true),
    remotePort: view.getUint16(offset + 34, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeEnds(view: DataView, offset: number, value: Ends): void {
  writeAddress(view, offset, value.local);
  writeAddress(view, offset + 16, value.remote);
  view.setUint16(offset + 32, value.localPort, true);
  view.setUint16(offset + 34, value.remotePort, true);
}

/** struct name */
export interface Name {
  readonly netns: bigint;
  readonly ends: Ends;
  readonly unused: number;
}

export const nameLayout = {
  bytes: 48,
  fields: [
    { name: 'netns', offset: 0, bytes: 8 },
    { name: 'ends', offset: 8, bytes: 36 },
    { name: 'unused', offset: 44, bytes: 4 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readName(view: DataView, offset: number): Name {
  return {
    netns: view.getBigUint64(offset, true),
    ends: readEnds(view, offset + 8),
    unused: view.getUint32(offset + 44, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeName(view: DataView, offset: number, value: Name): void {
  view.setBigUint64(offset, value.netns, true);
  writeEnds(view, offset + 8, value.ends);
  view.setUint32(offset + 44, value.unused, true);
}

/** struct end */
export interface End {
  readonly self: Name;
  readonly peer: Name;
  readonly side: number;
  readonly byTcp: number;
  readonly redirected: bigint;
  readonly burst: number;
  readonly peerWrites: number;
  readonly messages: number;
  readonly bytes: number;
}

export const endLayout = {
  bytes: 128,
  fields: [
    { name: 'self', offset: 0, bytes: 48 },
    { name: 'peer', offset: 48, bytes: 48 },
    { name: 'side', offset: 96, bytes: 4 },
    { name: 'byTcp', offset: 100, bytes: 4 },
    { name: 'redirected', offset: 104, bytes: 8 },
    { name: 'burst', offset: 112, bytes: 4 },
    { name: 'peerWrites', offset: 116, bytes: 4 },
    { name: 'messages', offset: 120, bytes: 4 },
    { name: 'bytes', offset: 124, bytes: 4 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readEnd(view: DataView, offset: number): End {
  return {
    self: readName(view, offset),
    peer: readName(view, offset + 48),
    side: view.getUint32(offset + 96, true),
    byTcp: view.getUint32(offset + 100, true),
    redirected: view.getBigUint64(offset + 104, true),
    burst: view.getUint32(offset + 112, true),
    peerWrites: view.getUint32(offset + 116, true),
    messages: view.getUint32(offset + 120, true),
    bytes: view.getUint32(offset + 124, true),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeEnd(view: DataView, offset: number, value: End): void {
  writeName(view, offset, value.self);
  writeName(view, offset + 48, value.peer);
  view.setUint32(offset + 96, value.side, true);
  view.setUint32(offset + 100, value.byTcp, true);
  view.setBigUint64(offset + 104, value.redirected, true);
  view.setUint32(offset + 112, value.burst, true);
  view.setUint32(offset + 116, value.peerWrites, true);
  view.setUint32(offset + 120, value.messages, true);
  view.setUint32(offset + 124, value.bytes, true);
}

/** struct flow */
export interface Flow {
  readonly writes: readonly number[];
  readonly leftAfter: readonly bigint[];
}

export const flowLayout = {
  bytes: 24,
  fields: [
    { name: 'writes', offset: 0, bytes: 8 },
    { name: 'leftAfter', offset: 8, bytes: 16 },
  ],
} as const;

/** A copy of what is at `offset`. */
export function readFlow(view: DataView, offset: number): Flow {
  return {
    writes: Array.from({ length: 2 }, (_, index) => view.getUint32(offset + index * 4, true)),
    leftAfter: Array.from({ length: 2 }, (_, index) => view.getBigUint64(offset + 8 + index * 8, true)),
  };
}

/** Throws a RangeError when a field lies beyond `view`, or bytes are more than there is room for. */
export function writeFlow(view: DataView, offset: number, value: Flow): void {
  for (let index = 0; index < 2; index++) {
    view.setUint32(offset + index * 4, value.writes[index]!, true);
  }
  for (let index = 0; index < 2; index++) {
    view.setBigUint64(offset + 8 + index * 8, value.leftAfter[index]!, true);
  }
}

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  if (offset + length > view.byteLength) throw new RangeError('the struct ends beyond the view');
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
