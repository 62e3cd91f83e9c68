// Requests over mutual TLS through several proxies, and what an audit makes of the spans of them all.

import t, { type Test } from 'tap';
import { type AuditedCall, type AuditedSpan, auditSpans } from '../../../proxy/audit/trust-audit.ts';
import { recordingSettings } from '../../../proxy/tracing/recording-settings.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import type { TlsFacts } from '../../../proxy/transport/tls-facts.ts';
import { defaultSettings } from '../../../sampler/settings.ts';
import { FakeConnection, Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { certificateOf, mutual, type RecordedSpan, recordsOf, tracingOf } from '../../support/trace-fixtures.ts';

interface Hop {
  readonly spans: readonly RecordedSpan[];
  /** What the next hop is told of the trace. */
  readonly told: readonly (readonly [string, string])[];
}

interface HopOptions {
  readonly from?: TlsFacts;
  readonly to?: TlsFacts;
  readonly isOutbound?: boolean;
  readonly spawns?: boolean;
}

/** One request through a proxy, by the headers of the hop before. */
function pass(told: Hop['told'], { from, to, isOutbound = false, spawns = false }: HopOptions): Hop {
  const options: SceneOptions = { isOutbound, facts: { tls: from } };
  const scene = new Scene({ ...options, manager: { tracing: tracingOf({ spawnUpstreamSpan: spawns }) } });
  scene.request(({ headers }) => {
    for (const [name, value] of told) headers.append(name, value);
  });
  const { endpoint, waiter } = scene.waiting.shift()!;
  const connection = Object.assign(new FakeConnection(endpoint.addressText), { tls: to ?? null });
  scene.connections.push(connection);
  waiter.onConnectionReady(connection);
  scene.respond(connection, 200);
  scene.tracing.flush();
  const fields = connection.requestHead.split('\n').map((line) => line.split(': ') as [string, string]);
  return {
    spans: recordsOf(scene.tracingMessages).flatMap(({ spans }) => spans),
    told: fields.filter(([name]) => name === 'traceparent' || name === 'tracestate'),
  };
}

function audit(hops: readonly Hop[]): readonly AuditedCall[] {
  const [trace] = auditSpans(hops.flatMap(({ spans }) => spans).map(auditedOf));
  return trace!.calls;
}

function auditedOf({ attributes, kind, ...span }: RecordedSpan): AuditedSpan {
  const said = (name: string) => String(attributes[`trust.${name}`] ?? '');
  return {
    ...span,
    service: '',
    kind: kind === 2 ? 'server' : 'client',
    transport: said('transport'),
    issuer: said('issuer'),
    peerId: said('peer_id'),
    ownId: said('own_id'),
    certHash: said('cert_hash'),
    chain: said('chain'),
  };
}

function verdicts(calls: readonly AuditedCall[]): readonly string[] {
  return calls.flatMap((call) => [`${call.verdict} ${call.findings.join()}`.trim(), ...verdicts(call.calls)]);
}

/** web calls cart, which calls payment; applications in between pass the trace on. */
function threeHops(spawns: boolean): Hop[] {
  const webOut = pass([], { isOutbound: true, to: mutual('web', 'cart'), spawns });
  const cartIn = pass(webOut.told, { from: mutual('cart', 'web'), spawns });
  const cartOut = pass(cartIn.told, { isOutbound: true, to: mutual('cart', 'payment'), spawns });
  return [webOut, cartIn, cartOut, pass(cartOut.told, { from: mutual('payment', 'cart'), spawns })];
}

t.test('a chain of proxies over mutual TLS proves who called whom', (t) => {
  const hops = threeHops(false);
  t.same(verdicts(audit(hops)), ['proved', 'proved', 'proved', 'proved']);
  t.end();
});

t.test('a span that is taken out is missed', (t) => {
  const hops = threeHops(false).toSpliced(1, 1);
  t.match(verdicts(audit(hops)).join('\n'), /broken its chain goes on from a span that is not in the file/);
  t.end();
});

t.test('where attempts have spans, the chain goes from attempt to request, and begins anew behind a plain one', (t) => {
  const verdict = verdicts(audit(threeHops(true)));
  t.same(
    verdict.filter((each) => !each.startsWith('plain')),
    ['proved', 'proved', 'proved', 'proved'],
  );
  t.end();
});

t.test('a plain connection, or one without two SPIFFE ids, proves nothing and tells no chain', (t) => {
  const { uris: _, ...nameless } = certificateOf('web');
  const cases: readonly (readonly [string, HopOptions])[] = [
    ['plain', {}],
    ['not verified', { from: { ...mutual('cart', 'web'), isPeerVerified: false } }],
    ['no certificate', { from: { ...mutual('cart', 'web'), peer: null } }],
    ['no id', { from: { ...mutual('cart', 'web'), peer: { ...nameless, uris: [] } } }],
    ['two ids', { from: { ...mutual('cart', 'web'), peer: { ...nameless, uris: ['spiffe://a/b', 'spiffe://a/c'] } } }],
  ];
  for (const [what, options] of cases) {
    const { spans, told } = pass([], options);
    t.equal(spans[0]!.attributes['trust.transport'], 'plain', what);
    t.equal(spans[0]!.attributes['trust.chain'], undefined, what);
    t.notMatch(told.join(), /outrigger=/, what);
  }
  t.end();
});

t.test('a chain that came over a connection is never told on as it came', (t: Test) => {
  const chain = 'ab'.repeat(32);
  const received = [
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['tracestate', `other=1,outrigger=${chain}`],
  ] as const;
  t.match(pass(received, {}).told.join(), /other=1/);
  t.notMatch(pass(received, {}).told.join(), /outrigger/);
  const { told, spans } = pass(received, { from: mutual('cart', 'web') });
  t.match(told.join(), `outrigger=${spans[0]!.attributes['trust.chain']},other=1`);
  t.end();
});

t.test('over mutual TLS a callee that keeps a trace is followed as shipped, and the caller before is told', (t) => {
  const run = (to: TlsFacts | null) => {
    const tracing = tracingOf({}, { randomPerTenThousand: 0 });
    const scene = new Scene({ facts: { tls: mutual('b', 'a') }, manager: { tracing } });
    const { client } = scene.request();
    const { endpoint, waiter } = scene.waiting.shift()!;
    const connection = Object.assign(new FakeConnection(endpoint.addressText), { tls: to });
    scene.connections.push(connection);
    waiter.onConnectionReady(connection);
    const [, ids] = /traceparent: 00-([0-9a-f]{32}-[0-9a-f]{16})/.exec(connection.requestHead)!;
    scene.respond(connection, 200, true, [['server-timing', `trace;desc=00-${ids}-01`]]);
    scene.tracing.flush();
    const reasons = recordsOf(scene.tracingMessages).map(({ reason }) => reason);
    return { reasons, isTold: client.headers.some((line) => line.toLowerCase().startsWith('server-timing: trace')) };
  };
  t.same(run(mutual('b', 'c')), { reasons: [SamplingReason.upgrade], isTold: true });
  t.same(run(null), { reasons: [], isTold: false }, 'what comes over a plain connection is not believed');
  t.same(run({ ...mutual('b', 'c'), isPeerVerified: false }), { reasons: [], isTold: false });
  t.end();
});

t.test('a callee is followed so many times a second as the settings grant', (t) => {
  const scene = new Scene({ manager: { tracing: tracingOf({}, { randomPerTenThousand: 0 }) } });
  scene.tracing.set(recordingSettings({ ...defaultSettings, upgrade: { accept: 'mesh', maxPerSecond: 2 } }, false));
  const callee = { tls: mutual('b', 'c') };
  for (let request = 0; request < 4; request++) {
    scene.request();
    const { endpoint, waiter } = scene.waiting.shift()!;
    const connection = Object.assign(new FakeConnection(endpoint.addressText), callee);
    scene.connections.push(connection);
    waiter.onConnectionReady(connection);
    const [, ids] = /traceparent: 00-([0-9a-f]{32}-[0-9a-f]{16})/.exec(connection.requestHead)!;
    scene.respond(connection, 200, true, [['server-timing', `trace;desc=00-${ids}-01`]]);
  }
  scene.tracing.flush();
  const { upgrade } = SamplingReason;
  t.same(
    recordsOf(scene.tracingMessages).map(({ reason }) => reason),
    [upgrade, upgrade],
  );
  t.end();
});
