// Made of the BTF of inbound.bpf.o by `npm run build:bpf`; changes are made in bpf/programs/.

export const inbound = {
  programs: [
    { name: 'or_lookup', section: 'sk_lookup' },
    { name: 'or_sockopt_in', section: 'cgroup/getsockopt' },
  ],
  maps: [
    { name: 'counters', type: 2, keyBytes: 4, valueBytes: 8, maxEntries: 10 },
    { name: 'listeners', type: 15, keyBytes: 4, valueBytes: 8, maxEntries: 4 },
    { name: 'ports_in', type: 2, keyBytes: 4, valueBytes: 8192, maxEntries: 2 },
  ],
  constants: [
    { name: 'inbound_port', offset: 0, bytes: 2, signed: false },
    { name: 'outbound_port', offset: 2, bytes: 2, signed: false },
    { name: 'fail_open', offset: 4, bytes: 1, signed: false },
    { name: 'default_capture', offset: 5, bytes: 1, signed: false },
    { name: 'has_ingress_ifindex', offset: 6, bytes: 1, signed: false },
    { name: 'has_istio_source6', offset: 7, bytes: 1, signed: false },
  ],
} as const;

/** enum inbound_counter */
export const InboundCounter = {
  STEERED4: 0,
  STEERED6: 1,
  PASSED_PROTOCOL: 2,
  PASSED_LOOPBACK: 3,
  PASSED_PROXY_PORT: 4,
  PASSED_PORT: 5,
  PASSED_NOT_INCLUDED: 6,
  PASSED_NO_LISTENER: 7,
  REFUSED_NO_LISTENER: 8,
  ORIGINAL_ANSWERED: 9,
} as const;

/** enum port_rule */
export const PortRule = { PORT_EXCLUDED: 0, PORT_INCLUDED: 1 } as const;

/** enum listener_slot */
export const ListenerSlot = { LISTENER4: 0, LISTENER6: 1, SPARE_LISTENER4: 2, SPARE_LISTENER6: 3 } as const;

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

function bytesAt(view: DataView, offset: number, length: number): Uint8Array {
  if (offset + length > view.byteLength) throw new RangeError('the struct ends beyond the view');
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}
