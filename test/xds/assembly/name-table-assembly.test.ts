import t from 'tap';
import type { NameTable } from '../../../config/name-table.ts';
import { NameTableAssembly } from '../../../xds/assembly/name-table-assembly.ts';
import { ReferenceCounts } from '../../../xds/assembly/reference-counts.ts';
import { SnapshotChanges } from '../../../xds/assembly/snapshot-changes.ts';
import { encodeMessage } from '../../../xds/message/wire-message.ts';
import { onlyItems } from '../../support/only-items.ts';

t.test('names are asked for as a whole, and those that came stay until others come', async (t) => {
  const calls: string[] = [];
  const tables: NameTable[] = [];
  const assembly = new NameTableAssembly(
    {
      sources: {
        problemWith: () => undefined,
        nameOf: () => 'ads',
        subscriptions: ({ kind }) => ({
          subscribe: (typeUrl, name, timeoutMs) => calls.push(`${kind} ${typeUrl} ${name} ${timeoutMs}`),
          unsubscribe: () => undefined,
        }),
      },
      changes: new SnapshotChanges(),
      references: new ReferenceCounts(),
      schedule: () => () => undefined,
      observer: {},
      log: () => undefined,
      clock: () => 0,
      onDue: () => undefined,
    },
    (names) => tables.push(names),
  );
  assembly.subscribe();
  t.same(calls, ['ads type.googleapis.com/istio.networking.nds.v1.NameTable * 0']);
  const { type } = assembly.resources;
  const message = encodeMessage({ table: { 'a.example': { ips: ['10.0.0.1'] } } }, 'istio.networking.nds.v1.NameTable');
  // The one resource has no name on the wire; its type has one for it.
  const resource = { name: type.nameOf(message), version: '', aliases: [], message };
  t.same(assembly.resources.onUpdate({ version: '1', resources: [resource], removed: [] }), []);
  t.same(
    tables.map((table) => [...table.keys()]),
    [['a.example']],
  );
  assembly.resources.onUpdate({ version: '2', resources: [], removed: [resource.name] });
  t.equal(tables.length, 1);
  t.same([...assembly.resources.heldVersions()], [[resource.name, '']]);
  t.match(assembly.resources.statuses(), onlyItems({ state: 'active' }));
});
