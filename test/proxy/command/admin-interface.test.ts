import t from 'tap';
import type { AdminServerOptions } from '../../../proxy/admin/server.ts';
import { AdminInterface, type AdminInterfaceOptions } from '../../../proxy/command/admin-interface.ts';

/** Nothing of them is looked at here. */
const options = {} as AdminServerOptions;

t.test('a process that serves loads its admin interface behind the first requests', async (t) => {
  const process = start();
  process.admin.open(options);
  process.admin.onServing();
  t.same(process.delaysMs(), [500, 50]);
  await process.elapse(50);
  t.same(process.did, ['load', 'make', 'listen']);
  await process.elapse(500);
  t.equal(process.did.length, 3, 'once');
});

t.test('it is there soon where its address was free only after the first requests', async (t) => {
  const process = start();
  process.admin.onServing();
  process.admin.open(options);
  t.same(process.delaysMs(), [50]);
  await process.elapse(50);
  t.same(process.did, ['load', 'make', 'listen']);
});

t.test('a process that waits for its configuration answers about that', async (t) => {
  const process = start();
  process.admin.open(options);
  await process.elapse(500);
  t.same(process.did, ['load', 'make', 'listen']);
  process.admin.onServing();
  t.same(process.delaysMs(), [], 'it is not loaded again');
});

t.test("an interface whose address is a successor's does not take it", async (t) => {
  const late = start();
  late.admin.open(options);
  late.admin.leave();
  await late.elapse(500);
  t.same(late.did, ['load']);
  const early = start();
  early.admin.open(options);
  await early.elapse(500);
  early.admin.leave();
  t.same(early.did, ['load', 'make', 'listen', 'leave']);
});

function start() {
  const did: string[] = [];
  let timers: { readonly delayMs: number; readonly callback: () => void }[] = [];
  const server = { listen: () => did.push('listen'), leave: () => did.push('leave') };
  const AdminServer = function AdminServer() {
    did.push('make');
    return server;
  };
  const loadServer = async () => {
    did.push('load');
    return { AdminServer } as unknown as Awaited<ReturnType<AdminInterfaceOptions['loadServer']>>;
  };
  const schedule = (delayMs: number, callback: () => void) => void timers.push({ delayMs, callback });
  return {
    did,
    admin: new AdminInterface({ loadServer, schedule }),
    delaysMs: () => timers.map(({ delayMs }) => delayMs),
    /** Runs what is due at or before `ms`, and what follows it. */
    elapse: async (ms: number) => {
      const due = timers.filter(({ delayMs }) => delayMs <= ms);
      timers = timers.filter(({ delayMs }) => delayMs > ms);
      for (const { callback } of due) callback();
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}
