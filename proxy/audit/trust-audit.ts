// Checks what spans say of who called whom: every chain against the span above, every identity against its counterpart.
// What is found is data; `audit.ts` prints it. A span that was taken out is missed by the spans below it; where
// there are none, nobody can tell.

import { trustChain } from '../tracing/trust.ts';

/** A span, as far as an audit looks at it. What it does not say is empty. */
export interface AuditedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  /** Of the proxy that was called, or of the one that called. */
  readonly kind: 'server' | 'client' | 'other';
  /** Empty for spans that are not a proxy's. */
  readonly transport: string;
  readonly issuer: string;
  readonly peerId: string;
  readonly ownId: string;
  readonly certHash: string;
  readonly chain: string;
}

export interface AuditedCall {
  readonly span: AuditedSpan;
  /** `plain`: nothing is wrong, and nothing is proved. */
  readonly verdict: 'proved' | 'plain' | 'broken';
  /** Plain sentences; what is wrong, or what is not proved. */
  readonly findings: readonly string[];
  readonly calls: readonly AuditedCall[];
}

export interface AuditedTrace {
  readonly traceId: string;
  /** Those that no other call in the trace led to. */
  readonly calls: readonly AuditedCall[];
}

/** Traces in the order in which they first appear. Spans that say nothing of trust only lead from one call to the next. */
export function auditSpans(spans: readonly AuditedSpan[]): readonly AuditedTrace[] {
  const byTrace = Map.groupBy(spans, (span) => span.traceId);
  return [...byTrace].map(([traceId, members]) => auditTrace(traceId, members)).filter(({ calls }) => calls.length > 0);
}

function auditTrace(traceId: string, spans: readonly AuditedSpan[]): AuditedTrace {
  const byId = new Map<string, AuditedSpan>();
  const repeated = new Set<string>();
  for (const span of spans) {
    if (byId.has(span.spanId)) repeated.add(span.spanId);
    else byId.set(span.spanId, span);
  }
  const callers = new Map(spans.filter(isTrusting).map((span) => [span, callerOf(span, byId)]));
  const callees = Map.groupBy(callers.keys(), (span) => {
    const caller = callers.get(span)!;
    return caller.kind === 'known' ? caller.span : null;
  });
  const auditCall = (span: AuditedSpan): AuditedCall => {
    const findings = checkSpan(span, callers.get(span)!);
    if (repeated.has(span.spanId)) findings.unshift(`two spans of this trace have the id ${span.spanId}`);
    const calls = (callees.get(span) ?? []).map(auditCall);
    if (findings.length > 0) return { span, verdict: 'broken', findings, calls };
    if (span.transport === 'mtls') return { span, verdict: 'proved', findings, calls };
    return { span, verdict: 'plain', findings: [plainFinding], calls };
  };
  return { traceId, calls: (callees.get(null) ?? []).map(auditCall) };
}

const plainFinding = 'a plain connection: nobody proved who was at its ends';

/** Whose call led to a span. */
type Caller =
  | { readonly kind: 'known'; readonly span: AuditedSpan }
  /** The trace begins here. */
  | { readonly kind: 'none' }
  /** A span that is named, here or by an application's span above, is not in the file. */
  | { readonly kind: 'missing'; readonly spanId: string }
  | { readonly kind: 'circle' };

function isTrusting(span: AuditedSpan): boolean {
  return span.transport !== '';
}

function callerOf(span: AuditedSpan, byId: ReadonlyMap<string, AuditedSpan>): Caller {
  if (inCircle(span, byId)) return { kind: 'circle' };
  let at = span;
  while (at.parentSpanId !== '') {
    const parent = byId.get(at.parentSpanId);
    if (parent === undefined) return { kind: 'missing', spanId: at.parentSpanId };
    if (isTrusting(parent)) return { kind: 'known', span: parent };
    at = parent;
  }
  return { kind: 'none' };
}

function inCircle(span: AuditedSpan, byId: ReadonlyMap<string, AuditedSpan>): boolean {
  const seen = new Set<AuditedSpan>();
  for (let at: AuditedSpan | undefined = span; at !== undefined; at = byId.get(at.parentSpanId)) {
    if (seen.has(at)) return true;
    seen.add(at);
  }
  return false;
}

function checkSpan(span: AuditedSpan, caller: Caller): string[] {
  if (caller.kind === 'circle') return ['the spans above lead back to it'];
  if (span.transport === 'plain') {
    return span.chain === '' ? [] : ['it says that its connection was plain, and has a chain all the same'];
  }
  if (span.transport !== 'mtls') return [`its transport is ${span.transport}, neither mtls nor plain`];
  const absent = (['issuer', 'peerId', 'ownId', 'certHash', 'chain'] as const).filter((part) => span[part] === '');
  if (absent.length > 0) return [`it does not say ${absent.map((part) => partNames[part]).join(', ')}`];
  return [...checkChain(span, caller), ...checkIdentities(span, caller)];
}

const partNames = {
  issuer: 'who issued the certificate',
  peerId: 'whom it spoke to',
  ownId: 'who it is',
  certHash: 'which certificate it saw',
  chain: 'a chain',
};

function checkChain(span: AuditedSpan, caller: Caller): string[] {
  const above = caller.kind === 'known' && caller.span.transport === 'mtls' ? caller.span.chain : '';
  if (span.chain === chainOf(span, above)) return [];
  if (above !== '' && span.chain === chainOf(span, '')) {
    return ['its chain begins anew though its caller has one: the request lost it on the way, or the call was put in'];
  }
  if (caller.kind === 'missing') {
    return [
      `its chain goes on from a span that is not in the file (${caller.spanId}): it was taken out, or not exported`,
    ];
  }
  return ['its chain does not fit: this span or the one above was changed, or one between them was taken out'];
}

function chainOf(span: AuditedSpan, received: string): string {
  const peer = { issuer: span.issuer, spiffeId: span.peerId, certificateSha256: span.certHash };
  return trustChain({ ...span, received, peer });
}

// A proxy's own two spans, of the call that came in and of the one that went out, have one identity; the two spans of
// one connection have each other's.
function checkIdentities(span: AuditedSpan, caller: Caller): string[] {
  if (caller.kind !== 'known' || caller.span.transport !== 'mtls') return [];
  const { ownId, peerId, kind } = caller.span;
  if (span.kind !== 'server') {
    return span.ownId === ownId ? [] : [`it was sent by ${span.ownId}, but ${ownId} got the call that led to it`];
  }
  const findings: string[] = [];
  if (span.peerId !== ownId) findings.push(`it was called by ${span.peerId}, but the span above is of ${ownId}`);
  if (kind === 'client' && peerId !== span.ownId) {
    findings.push(`${ownId} called ${peerId}, but ${span.ownId} got the call`);
  }
  return findings;
}
