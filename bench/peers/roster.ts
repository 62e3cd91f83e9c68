// The proxies that take part: asked for, and installable here. One that is not is left out with a line saying why,
// because a comparison with fewer peers is still worth having.
import { envoy } from './envoy.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { outrigger } from './outrigger.ts';
import { outriggerUws } from './outrigger-uws.ts';
import type { Peer, PeerName } from './peer.ts';

const ALL: readonly Peer[] = [envoy, nginx, haproxy, outrigger, outriggerUws];
export const PEER_NAMES: readonly PeerName[] = ALL.map((peer) => peer.name);

export type AbsentPeer = { readonly name: PeerName; readonly reason: string };
export type Roster = { readonly peers: readonly Peer[]; readonly absent: readonly AbsentPeer[] };

export function assembleRoster(wanted: readonly PeerName[]): Roster {
  const peers: Peer[] = [];
  const absent: AbsentPeer[] = [];
  for (const peer of ALL.filter((one) => wanted.includes(one.name))) {
    try {
      peer.install();
      peers.push(peer);
    } catch (error) {
      absent.push({ name: peer.name, reason: (error as Error).message });
    }
  }
  return { peers, absent };
}

export function peerNamed(name: PeerName): Peer {
  return ALL.find((peer) => peer.name === name)!;
}
