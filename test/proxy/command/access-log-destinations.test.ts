import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Snapshot } from '../../../config/snapshot.ts';
import { AccessLogDestinations } from '../../../proxy/command/access-log-destinations.ts';
import { createProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { startAccessLogCollector } from '../../support/access-log-collector.ts';
import { entryCollector } from '../../support/access-log-fixtures.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';
import { FakeClusters, loopback } from '../../support/export-fixtures.ts';

const collector = entryCollector({ kind: 'tcp-entries', flushIntervalMs: 60_000 });

t.test(
  'lines go to their file, entries to their collector with the node of the bootstrap, at the end at the latest',
  async (t) => {
    const service = await startAccessLogCollector();
    t.teardown(() => service.stop());
    const path = join(t.testdir(), 'a.log');
    const clusters = new FakeClusters().set('als', [{ address: loopback(service.port) }]);
    const { bootstrap } = bootstrapOf('node: {id: n1, cluster: c1, metadata: {A: b}}');
    const logs = new AccessLogDestinations({
      bootstrap,
      state: { snapshot: clusters.snapshot() as unknown as Snapshot },
      stats: new WorkerStats(() => undefined),
      log: createProcessLog({ level: 'off', componentLevels: '' }),
    });
    logs.write({ sink: { kind: 'file', path }, bytes: Buffer.from('line\n'), lines: 1, cause: 'size' });
    const facts = [1, [], 5, '', '', '', '', '', '', '', 0, 0, '', '', '', [7, 0], [0, 0], null, [], null, null];
    const bytes = Buffer.from(`${JSON.stringify([facts, null])}\n`);
    logs.writeEntries({ collector, key: 'a', bytes, entries: 1 });
    await logs.close();
    t.equal(readFileSync(path, 'utf8'), 'line\n');
    await service.entries(1);
    t.match(service.messages, [{ message: { identifier: { node: { id: 'n1', cluster: 'c1' }, log_name: 'log' } } }]);
    t.match(service.tcpEntries, [{ connection_properties: { sent_bytes: 7 } }]);
  },
);

t.test('without logs there is nothing to end', async (t) => {
  const { bootstrap } = bootstrapOf('{}');
  const stats = new WorkerStats(() => undefined);
  const log = createProcessLog({ level: 'off', componentLevels: '' });
  const destinations = new AccessLogDestinations({ bootstrap, state: { snapshot: null }, stats, log });
  await t.resolves(destinations.close());
});
