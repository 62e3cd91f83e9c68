// When a downstream connection has to leave, and what it is counted as.

import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import { ConnectionDeadline, ConnectionLifetime, type EarlierLife } from '../../../proxy/http/connection-lifetime.ts';
import { drainedLastRequestMs } from '../../../proxy/http/connection-manager.ts';
import { Deadlines } from '../../../proxy/reactor/deadlines.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { Scene } from '../../support/http-fixtures.ts';

function begin(manager: Partial<HttpConnectionManager>, earlier: EarlierLife | null = null) {
  const scene = new Scene({ manager });
  const { reactor } = scene.manager.context;
  /** Slots and when. */
  const passed: (readonly [slot: number, atMs: number])[] = [];
  const owner = { onDeadline: (slot: number) => passed.push([slot, reactor.nowMs]) };
  const deadlines = new Deadlines(reactor, owner, ConnectionDeadline.count);
  const lifetime = new ConnectionLifetime(scene.manager, deadlines, false, earlier);
  const counted = (stat: number) => scene.stats.get(httpStats, 'test')!.value(stat);
  return { scene, lifetime, deadlines, passed, counted };
}

const { idle, maxDuration } = ConnectionDeadline;

t.test('one that was never used closes when its time is over, but not in the middle of a head', (t) => {
  for (const slot of [idle, maxDuration]) {
    t.equal(begin({}).lifetime.endsAt(slot, true, false), true);
    const { lifetime } = begin({});
    t.equal(lifetime.endsAt(slot, true, true), false);
    t.equal(lifetime.isLeaving, true);
  }
  t.end();
});

t.test('one that was used waits for one more request, and closes when that does not come', (t) => {
  const { scene, lifetime, passed, counted } = begin({ idleTimeoutMs: 100, drainTimeoutMs: 50 });
  t.equal(lifetime.countRequest(), false);
  scene.reactor.advance(100);
  t.equal(lifetime.endsAt(idle, true, false), false);
  scene.reactor.advance(50);
  t.same(passed, [
    [idle, 100],
    [idle, 150],
  ]);
  t.equal(lifetime.endsAt(idle, true, false), true);
  t.equal(counted(httpStats.downstreamCxIdleTimeout), 1, 'once');
  t.end();
});

t.test('the time in all goes on while a request is under way, and ends with its response', (t) => {
  const { scene, lifetime, deadlines, passed, counted } = begin({ maxConnectionDurationMs: 70, idleTimeoutMs: 0 });
  lifetime.countRequest();
  deadlines.clear(idle);
  scene.reactor.advance(70);
  t.same(passed, [[maxDuration, 70]]);
  t.equal(lifetime.endsAt(maxDuration, false, false), false);
  t.equal(deadlines.isSet(idle), false, 'nobody waits for a request');
  t.equal(lifetime.isLeaving, true);
  t.equal(counted(httpStats.downstreamCxMaxDurationReached), 1);
  t.end();
});

t.test('the last request that it may carry is told, and counted', (t) => {
  const { lifetime, counted } = begin({ maxRequestsPerConnection: 2 });
  t.same([lifetime.countRequest(), lifetime.countRequest()], [false, true]);
  t.equal(counted(httpStats.downstreamCxMaxRequestsReached), 1);
  t.end();
});

t.test('a drain counts once, and shortens what is left', (t) => {
  const { scene, lifetime, passed, counted } = begin({ idleTimeoutMs: 10_000 });
  lifetime.drain(true);
  lifetime.drain(true);
  t.equal(counted(httpStats.downstreamCxDrainClose), 1);
  scene.reactor.advance(drainedLastRequestMs);
  t.same(passed, [[idle, drainedLastRequestMs]]);
  t.end();
});

t.test('an earlier life goes on, and was counted', (t) => {
  const earlier = { openedAtMs: -60, requestCount: 3, lastRequestMs: 20 };
  const { scene, lifetime, passed, counted } = begin({ maxConnectionDurationMs: 100 }, earlier);
  t.equal(counted(httpStats.downstreamCxTotal), 0);
  scene.reactor.advance(40);
  t.same(passed, [
    [idle, 20],
    [maxDuration, 40],
  ]);
  t.equal(lifetime.endsAt(idle, true, false), true, 'it was to leave');
  const late = begin({ maxConnectionDurationMs: 30 }, earlier);
  late.scene.reactor.advance(1);
  t.same(late.passed, [[maxDuration, 1]], 'what is over is over at once');
  t.end();
});

t.test('its end stops its deadlines, and counts how it came', (t) => {
  const end = { isRemote: false, hadRequest: false, receivedBytes: 7, sentBytes: 9 };
  for (const delayedCloseTimeoutMs of [1000, 0]) {
    const { scene, lifetime, passed, counted } = begin({ idleTimeoutMs: 50, delayedCloseTimeoutMs });
    lifetime.end({ ...end, isLate: true });
    scene.reactor.advance(60);
    t.same(passed, []);
    t.equal(counted(httpStats.downstreamCxActive), 0);
    t.equal(counted(httpStats.downstreamCxRxBytesTotal), 7);
    t.equal(counted(httpStats.downstreamCxDelayedCloseTimeout), delayedCloseTimeoutMs === 0 ? 0 : 1);
  }
  t.end();
});
