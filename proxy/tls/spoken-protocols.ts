// Which protocols are agreed on by ALPN. What is selected is what the peer speaks from then on, so nothing is offered or
// taken that nobody here reads: HTTP/2, and the metadata that sidecars of Istio put in front of a TCP stream. A peer that has
// nothing in common with the rest goes on without ALPN, as HTTP/1.1 or as plain bytes.

/** `carries`: requests that are read here, or bytes that are passed on, whose protocol is between the ends. */
export function spokenProtocols(protocols: readonly string[], carries: 'http' | 'bytes'): readonly string[] {
  return protocols.filter((name) => name !== PEER_EXCHANGE && (carries === 'bytes' || !HTTP2.has(name)));
}

const PEER_EXCHANGE = 'istio-peer-exchange';
const HTTP2: ReadonlySet<string> = new Set(['h2', 'istio-h2']);
