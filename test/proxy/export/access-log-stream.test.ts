import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { writeIdentifier, writeMessage } from '../../../proxy/export/access-log-message.ts';
import { AccessLogStream } from '../../../proxy/export/access-log-stream.ts';
import { findCollector } from '../../../proxy/export/collector-address.ts';
import { startAccessLogCollector } from '../../support/access-log-collector.ts';
import { FakeClusters, FakeExportClock, loopback } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

function makeStream(port: number, queueLimitBytes?: number) {
  const clusters = new FakeClusters().set('als', [{ address: loopback(port) }]);
  const clock = new FakeExportClock();
  const warnings: string[] = [];
  const counts = { flushed: 0, flushFailed: 0, dropped: 0 };
  const identifier = writeIdentifier(Buffer.from([0x0a, 0x01, 0x6e]), 'log');
  const stream = new AccessLogStream({
    service: { kind: 'grpc', cluster: 'als', authority: '', timeoutMs: 0, metadata: [['x-token', 'secret']] },
    find: () => findCollector({ kind: 'grpc', cluster: 'als' }, clusters),
    message: (entries, isFirst) => writeMessage(isFirst ? identifier : new Uint8Array(), 'http-entries', entries),
    clock,
    random: () => 1,
    events: {
      onFlush: (entries) => {
        counts.flushed += entries;
      },
      onFlushFail: (entries) => {
        counts.flushFailed += entries;
      },
      onDrop: (entries) => {
        counts.dropped += entries;
      },
    },
    onWarning: (text) => warnings.push(text),
    ...(queueLimitBytes !== undefined && { queueLimitBytes }),
  });
  return { stream, clusters, clock, warnings, counts };
}

/** An `HTTPAccessLogEntry` of HTTP/1.1. */
const entry = Buffer.from([0x10, 0x02]);
/** The tag of field 100, which the proto file does not have, as bytes. */
const unknownField = Buffer.from([0xa2, 0x06]);

t.test('messages go over one stream, whose first tells who we are', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { stream, counts, warnings } = makeStream(collector.port);
  stream.send([entry, entry]);
  stream.send([entry]);
  await collector.entries(3);
  t.match(collector.metadata, onlyItems({ 'x-token': 'secret' }));
  t.strictSame(
    collector.messages.map(({ message }) => 'identifier' in message),
    [true, false],
  );
  t.match(collector.messages[0]!.message, { identifier: { node: { id: 'n' }, log_name: 'log' } });
  await stream.close(5000);
  t.strictSame(counts, { flushed: 3, flushFailed: 0, dropped: 0 });
  t.strictSame(warnings, []);
});

t.test('a stream that the service ends is opened again when something is to be sent', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { stream, clock, warnings } = makeStream(collector.port);
  stream.send([entry]);
  await collector.entries(1);
  collector.endStreams();
  await clock.scheduled();
  t.strictSame(warnings, [], 'nothing waits: nothing is wrong');
  stream.send([entry]);
  clock.advance(500);
  await collector.entries(2);
  t.equal(collector.metadata.length, 2);
  t.strictSame(
    collector.messages.map(({ message }) => 'identifier' in message),
    [true, true],
  );
  await stream.close(5000);
});

t.test('entries wait for a service that is not there, with one warning and longer and longer pauses', async (t) => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  listener.close();
  await once(listener, 'close');
  const { stream, clock, warnings, counts } = makeStream(port);
  stream.send([entry]);
  for (const pauseMs of [500, 1000, 2000]) {
    await clock.scheduled();
    t.strictSame(clock.delays, [pauseMs]);
    clock.advance(pauseMs);
  }
  await clock.scheduled();
  t.equal(warnings.length, 1);
  t.match(warnings[0], /^access logs wait for cluster als.*ECONNREFUSED/);
  const collector = await startAccessLogCollector({ port });
  t.teardown(() => collector.stop());
  clock.advance(4000);
  await collector.entries(1);
  await stream.close(5000);
  t.match(warnings[1], /taken by cluster als again/);
  t.equal(counts.flushed, 1);
  t.equal(counts.dropped, 0);
});

t.test('a cluster that does not exist is waited for, and found when it comes', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const { stream, clusters, clock, warnings } = makeStream(collector.port);
  clusters.remove('als');
  stream.send([entry]);
  t.matchOnly(warnings, [/there is no cluster als/]);
  clusters.set('als', [{ address: loopback(collector.port) }]);
  clock.advance(500);
  await collector.entries(1);
  await stream.close(5000);
});

t.test('a service that reads nothing has bounded memory: the newest entries are dropped and counted', async (t) => {
  const collector = await startAccessLogCollector({ isStandingStill: true });
  t.teardown(() => collector.stop());
  const limit = 4 * 1024 * 1024;
  const { stream, clock, counts } = makeStream(collector.port, limit);
  const large = Buffer.concat([unknownField, Buffer.from([0x80, 0x80, 0x02]), Buffer.alloc(32_768)]);
  for (let sent = 0; sent < 500; sent++) stream.send([large]);
  await collector.streams(1);
  const kept = 500 - counts.dropped;
  t.ok(kept * large.length <= limit, `${kept} entries of 32 KiB are kept`);
  t.ok(kept > 100);
  const closed = stream.close(1000);
  clock.advance(1000);
  await closed;
  t.equal(counts.flushed + counts.dropped, 500, 'each was taken by the network, or is counted as dropped');
});

t.test('what was on its way when a stream broke is sent again', async (t) => {
  const still = await startAccessLogCollector({ isStandingStill: true });
  const { stream, clusters, clock, counts } = makeStream(still.port);
  // More than a window: the last is not taken.
  const large = Buffer.concat([unknownField, Buffer.from([0x80, 0x80, 0x10]), Buffer.alloc(262_144)]);
  stream.send([large]);
  stream.send([entry]);
  await still.streams(1);
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  clusters.set('als', [{ address: loopback(collector.port) }]);
  await still.stop();
  await clock.scheduled();
  clock.advance(500);
  await collector.entries(2);
  t.ok(counts.flushFailed >= 1);
  await stream.close(5000);
  t.equal(counts.dropped, 0);
});
