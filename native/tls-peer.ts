// What a peer shows of itself, at the moment of the handshake when OpenSSL asks whether its chain is good
// (SSL_CTX_set_cert_verify_callback(3)): whoever drives the handshake is told there and may refuse. The peer gets an alert for
// it, which cannot be sent any more once the handshake is done.

import koffi from 'koffi';
import { declareOpenssl } from './openssl.ts';
import { KnownChains, nameOfChain } from './tls-known-chains.ts';
import { derOf, derOfStack } from './tls-pem.ts';

export interface ShownPeer {
  /** DER, the peer's own first. One and the same array each time for a chain that is known. */
  readonly certificates: readonly Buffer[];
  /** X509_V_…: another than 0 is of a chain that was let pass all the same. */
  readonly verifyResult: number;
  /** DER, from the peer's own to a root of ours; undefined for contexts that know chains. */
  readonly verifiedChain: readonly Buffer[] | undefined;
}

export interface PeerListener {
  /** The peer's chain passes. Whether the peer is let in: the handshake fails otherwise. */
  onPeer(peer: ShownPeer): boolean;
}

/**
 * Has the context (SSL_CTX) tell of peers. Where there is a `wallClock`, in milliseconds since 1970, a chain is verified once
 * while it is valid (`KnownChains`), and a connection whose chain was known has no verified chain. Until `forgetPeers`.
 */
export function tellOfPeers(context: number, wallClock: (() => number) | undefined): void {
  if (wallClock !== undefined) knownByContext.set(context, new KnownChains(wallClock));
  setVerifyCallback()(context, verifyCallback(), context);
}

/** After the last connection of the context. */
export function forgetPeers(context: number): void {
  knownByContext.delete(context);
}

/** Who is told of a peer until the next such call: a handshake is driven by one call, and is alone in its thread meanwhile. */
export function listenForPeer(next: PeerListener | undefined): void {
  listener = next;
}

/**
 * DER, the own of the peer of the connection `session` first; empty when it has shown none, the own alone after a resumption.
 * `side` is ours.
 */
export function certificatesOf(session: number, side: 'client' | 'server'): readonly Buffer[] {
  const own = peerCertificate()(session);
  if (own === 0) return [];
  const sent = derOfStack(peerChain()(session));
  // The stack of a client has the own one as well, the stack of a server has not.
  return side === 'client' && sent.length > 0 ? sent : [derOf(own), ...sent];
}

/** From the peer's own to a root of ours; empty where nothing was verified: after a resumption, and for a chain that was known. */
export function verifiedChainOf(session: number): Buffer[] {
  return derOfStack(verifiedChain()(session));
}

const knownByContext = new Map<number, KnownChains>();
let listener: PeerListener | undefined;
let callback: number | undefined;

function verifyCallback(): number {
  callback ??= Number(koffi.register(onVerify, callbackType));
  return callback;
}

/**
 * 1 when the handshake may go on. The result of an X509_STORE_CTX that was not used is X509_V_OK, and a refusal with that
 * result is the alert certificate_unknown, which is Envoy's.
 */
function onVerify(storeContext: number, context: number): number {
  const shown = shownChain()(storeContext);
  const known = knownByContext.get(context);
  // The chain begins with the certificate that is asked about.
  const isWhole = known !== undefined && stackItem()(shown, 0) === certificateOf()(storeContext);
  const name = isWhole ? nameOfChain(shown) : '';
  const certificates = name === '' ? undefined : known!.find(name);
  if (certificates !== undefined) return told({ certificates, verifyResult: X509_V_OK, verifiedChain: undefined });
  if (verify()(storeContext) !== 1) return 0;
  const peer = newPeer(storeContext, shown, known === undefined);
  // A callback may let pass what is not good: then verifying says 1, and the result does not say 0.
  if (peer.verifyResult === X509_V_OK) known?.remember(name, peer.certificates, chainOf()(storeContext));
  return told(peer);
}

function newPeer(storeContext: number, shown: number, hasChain: boolean): ShownPeer {
  const verifiedChain = hasChain ? derOfStack(chainOf()(storeContext)) : undefined;
  return { certificates: derOfStack(shown), verifyResult: errorOf()(storeContext), verifiedChain };
}

function told(peer: ShownPeer): number {
  return listener === undefined || listener.onPeer(peer) ? 1 : 0;
}

const X509_V_OK = 0;

const callbackType = koffi.pointer(koffi.proto('int', ['uint64_t', 'uint64_t']));
const setVerifyCallback = declareOpenssl('void', 'SSL_CTX_set_cert_verify_callback', [
  'uint64_t',
  'uint64_t',
  'uint64_t',
]);
const verify = declareOpenssl('int', 'X509_verify_cert', ['uint64_t']);
const errorOf = declareOpenssl('int', 'X509_STORE_CTX_get_error', ['uint64_t']);
const certificateOf = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_cert', ['uint64_t']);
const shownChain = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_untrusted', ['uint64_t']);
const chainOf = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_chain', ['uint64_t']);
const verifiedChain = declareOpenssl('uint64_t', 'SSL_get0_verified_chain', ['uint64_t']);
const peerCertificate = declareOpenssl('uint64_t', 'SSL_get0_peer_certificate', ['uint64_t']);
const peerChain = declareOpenssl('uint64_t', 'SSL_get_peer_cert_chain', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
