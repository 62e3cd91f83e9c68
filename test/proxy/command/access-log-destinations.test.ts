import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { emptySnapshot, type Snapshot } from '../../../config/snapshot.ts';
import { AccessLogDestinations } from '../../../proxy/command/access-log-destinations.ts';
import { createProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { startAccessLogCollector } from '../../support/access-log-collector.ts';
import { entryCollector } from '../../support/access-log-fixtures.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';
import { FakeClusters, loopback } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { openFilesIn } from '../../support/open-files.ts';
import { tcpListener, until } from '../../support/tcp-proxy-fixtures.ts';

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
    t.match(
      service.messages,
      onlyItems({ message: { identifier: { node: { id: 'n1', cluster: 'c1' }, log_name: 'log' } } }),
    );
    t.match(service.tcpEntries, onlyItems({ connection_properties: { sent_bytes: 7 } }));
  },
);

t.test('without logs there is nothing to end', async (t) => {
  const { bootstrap } = bootstrapOf('{}');
  const stats = new WorkerStats(() => undefined);
  const log = createProcessLog({ level: 'off', componentLevels: '' });
  const destinations = new AccessLogDestinations({ bootstrap, state: { snapshot: null }, stats, log });
  await t.resolves(destinations.close());
});

t.test(
  'files that neither a listener of what is served nor the admin interface names are closed in time',
  async (t) => {
    const folder = t.testdir({});
    const { bootstrap } = bootstrapOf(
      `admin: {address: {pipe: {path: /a}}, access_log_path: ${join(folder, 'admin.log')}}`,
    );
    const stats = new WorkerStats(() => undefined);
    const log = createProcessLog({ level: 'off', componentLevels: '' });
    const sink = (name: string) => ({ kind: 'file', path: join(folder, name) }) as const;
    const format = { kind: 'text', format: '', omitEmptyValues: false } as const;
    const listener = tcpListener({ accessLogs: [{ sink: sink('served.log'), format }] });
    const snapshot = { ...emptySnapshot, listeners: new Map([['a', listener]]) };
    const sweeps: (() => void)[] = [];
    const every = (_: number, sweep: () => void) => void sweeps.push(sweep);
    const logs = new AccessLogDestinations({ bootstrap, state: { snapshot }, stats, log, every });
    for (const name of ['served.log', 'refused.log', 'admin.log']) t.equal(logs.open(sink(name)), undefined);
    t.same(openFilesIn(folder), ['admin.log', 'refused.log', 'served.log']);
    for (let count = 0; count < 2; count++) sweeps[0]!();
    await until(() => openFilesIn(folder).length === 2);
    t.same(openFilesIn(folder), ['admin.log', 'served.log']);
    await logs.close();
    t.same(openFilesIn(folder), []);
  },
);
