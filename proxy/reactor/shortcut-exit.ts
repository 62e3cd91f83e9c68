// How connections leave the short-circuit (bpf/programs/shortcut.bpf.c), in which bytes come past TCP: splice(2) does not see
// these, and each byte that a member writes is copied once more (measured: 40 % fewer bodies of 1 MiB a second). So a
// connection that carries bulk leaves, each end when nothing can be lost or overtaken by that:
//
// - This end. The peer writes by TCP for good, and had redirected N bytes by then: its program tells both in one word.
//   R bytes were read here in all, and T have come by TCP, read or not. What was read of TCP is T or less, what was read
//   past it N or less: R = N + T says that all N were read, whatever is on its way and whichever thread writes it.
//   Anything else says nothing, and the socket stays.
// - Then the peer. This end, no member, writes by TCP from now on. When the peer has bytes of that, and has read all of
//   them, it had read before what lay in its queue past TCP, which a reader is given first.
//
// A membership that ends drops that queue, which is empty for ever.

import { BpfMap } from '../../native/bpf-map.ts';
import { Errno } from '../../native/errno.ts';
import { duplicate } from '../../native/socket.ts';
import { SocketDiagnosis } from '../../native/socket-diagnosis.ts';
import { tcpBytesAcknowledged, tcpBytesReceived } from '../../native/tcp-info.ts';
import { Membership } from './membership.ts';

/** Maps of the program, and where in their values is what is read here. */
export interface ShortcutMaps {
  readonly endsFd: number;
  readonly flowsFd: number;
  readonly membersFd: number;
  readonly nameBytes: number;
  readonly endBytes: number;
  readonly flowBytes: number;
  readonly selfAt: number;
  readonly peerAt: number;
  readonly sideAt: number;
  readonly leftAfterAt: number;
  readonly localIpAt: number;
  readonly remoteIpAt: number;
  readonly localPortAt: number;
  readonly remotePortAt: number;
}

export class ShortcutExit {
  readonly #maps: ShortcutMaps;
  readonly #ends: BpfMap;
  readonly #flows: BpfMap;
  readonly #members: BpfMap;
  readonly #diagnosis = SocketDiagnosis.open();
  readonly #descriptor = Buffer.alloc(4);
  readonly #end: Buffer;
  readonly #flow: Buffer;
  readonly #self: Buffer;
  readonly #peer: Buffer;

  /** Keeps duplicates of the descriptors as long as the process lives. Throws when they are not those of such maps. */
  constructor(maps: ShortcutMaps) {
    const { nameBytes, endBytes, flowBytes, selfAt, peerAt } = maps;
    this.#maps = maps;
    this.#ends = new BpfMap(duplicate(maps.endsFd), 4, endBytes);
    this.#flows = new BpfMap(duplicate(maps.flowsFd), nameBytes, flowBytes);
    this.#members = new BpfMap(duplicate(maps.membersFd), nameBytes, 8);
    this.#end = Buffer.alloc(endBytes);
    this.#flow = Buffer.alloc(flowBytes);
    this.#self = this.#end.subarray(selfAt, selfAt + nameBytes);
    this.#peer = this.#end.subarray(peerAt, peerAt + nameBytes);
  }

  /** Takes out what can leave now, of a socket of which `bytesReceived` were read in all. Returns who is in it still. */
  leave(fd: number, bytesReceived: number, membership: Membership): Membership {
    this.#descriptor.writeInt32LE(fd);
    const found = this.#ends.lookup(this.#descriptor, this.#end);
    // Sockets are taken before anybody has them, or never.
    if (found < 0) return found === -Errno.ENOENT ? Membership.none : membership;
    if (membership === Membership.both) return this.#leaveAlone(fd, bytesReceived);
    return this.#hasPeerRead(fd) && this.#remove(this.#peer) ? Membership.none : Membership.peer;
  }

  #leaveAlone(fd: number, bytesReceived: number): Membership {
    const isActive = this.#end.readUInt32LE(this.#maps.sideAt) === ACTIVE;
    // The entry can be evicted: nothing is known then.
    if (this.#flows.lookup(isActive ? this.#self : this.#peer, this.#flow) < 0) return Membership.both;
    const leftAfter = Number(this.#flow.readBigUInt64LE(this.#maps.leftAfterAt + (isActive ? 8 : 0)));
    if (leftAfter === 0) return Membership.both;
    const byTcp = tcpBytesReceived(fd);
    if (byTcp < 0 || bytesReceived !== leftAfter - 1 + byTcp) return Membership.both;
    return this.#remove(this.#self) ? Membership.peer : Membership.both;
  }

  #hasPeerRead(fd: number): boolean {
    // One byte at least beside SYN and FIN. What came before it is read before it, so nothing need be known of when.
    if (this.#diagnosis === undefined || tcpBytesAcknowledged(fd) < 3) return false;
    const { localIpAt, remoteIpAt, localPortAt, remotePortAt } = this.#maps;
    const peer = this.#peer;
    const unread = this.#diagnosis.unreadBytes({
      localIp: peer.subarray(localIpAt, localIpAt + 16),
      remoteIp: peer.subarray(remoteIpAt, remoteIpAt + 16),
      localPort: peer.readUInt16LE(localPortAt),
      remotePort: peer.readUInt16LE(remotePortAt),
    });
    return unread === 0;
  }

  #remove(name: Buffer): boolean {
    const removed = this.#members.delete(name);
    return removed === 0 || removed === -Errno.ENOENT;
  }
}

/** enum side of the program: the end that opened the connection. */
const ACTIVE = 0;
