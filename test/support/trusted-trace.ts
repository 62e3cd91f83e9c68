// A trace whose spans are chained as proxies chain them, as OTLP in JSON.

import { type PeerIdentity, trustAttributes, trustChain } from '../../proxy/tracing/trust.ts';

export const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

export interface TracedSpan {
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Map<string, string>;
}

export function identityOf(name: string): PeerIdentity {
  const certificateSha256 = Buffer.from(name.padEnd(32, '.')).toString('hex');
  return { issuer: 'O=cluster.local', spiffeId: `spiffe://cluster.local/sa/${name}`, certificateSha256 };
}

export interface SpanOptions {
  readonly id: number;
  /** Absent: the first of the trace. */
  readonly parent?: TracedSpan;
  readonly kind: 'server' | 'client';
  readonly own: string;
  /** Absent: a plain connection. */
  readonly peer?: string;
}

/** A span of a proxy. */
export function tracedSpan({ id, parent, kind, own, peer }: SpanOptions): TracedSpan {
  const spanId = String(id).padStart(16, '0');
  const parentSpanId = parent?.spanId ?? '';
  const identity = peer === undefined ? null : identityOf(peer);
  const ownId = identityOf(own).spiffeId;
  const attributes = new Map(trustAttributes(identity, ownId));
  const received = parent?.attributes.get('trust.chain') ?? '';
  if (identity !== null) {
    attributes.set('trust.chain', trustChain({ received, traceId, parentSpanId, spanId, ownId, peer: identity }));
  }
  return { spanId, parentSpanId, name: `GET /${id}`, kind: kind === 'server' ? 2 : 3, attributes };
}

/** web calls cart, which calls payment: the two ends of each connection have a span. */
export function shopTrace(): readonly TracedSpan[] {
  const webOut = tracedSpan({ id: 1, kind: 'client', own: 'web', peer: 'cart' });
  const cartIn = tracedSpan({ id: 2, parent: webOut, kind: 'server', own: 'cart', peer: 'web' });
  const cartOut = tracedSpan({ id: 3, parent: cartIn, kind: 'client', own: 'cart', peer: 'payment' });
  return [
    webOut,
    cartIn,
    cartOut,
    tracedSpan({ id: 4, parent: cartOut, kind: 'server', own: 'payment', peer: 'cart' }),
  ];
}

export function exportOf(spans: readonly TracedSpan[]): string {
  const encoded = spans.map(({ attributes, ...span }) => ({
    ...span,
    traceId,
    attributes: [...attributes].map(([key, stringValue]) => ({ key, value: { stringValue } })),
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: encoded }] }] });
}
