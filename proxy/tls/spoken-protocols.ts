// Which protocols are agreed on by ALPN. What is selected is what the peer speaks from then on, so nothing is offered or
// taken that nobody here reads: HTTP/2, and the metadata that sidecars of Istio put in front of a TCP stream where no filter
// takes it out. A peer that has nothing in common with the rest goes on without ALPN, as HTTP/1.1 or as plain bytes.

/**
 * Requests that are read here; or bytes that are passed on, whose protocol is between the ends; or such bytes, behind metadata
 * when this protocol is agreed on.
 */
export type Carried = 'http' | 'bytes' | { readonly bytesBehind: string };

export function spokenProtocols(protocols: readonly string[], carries: Carried): readonly string[] {
  const exchanged = typeof carries === 'object' ? carries.bytesBehind : '';
  return protocols.filter((name) => {
    if (name === PEER_EXCHANGE) return name === exchanged;
    return carries !== 'http' || !HTTP2.has(name);
  });
}

const PEER_EXCHANGE = 'istio-peer-exchange';
const HTTP2: ReadonlySet<string> = new Set(['h2', 'istio-h2']);
