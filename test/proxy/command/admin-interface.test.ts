import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { close, localAddress } from '../../../native/socket.ts';
import type { AdminServerOptions, ListenOptions } from '../../../proxy/admin/server.ts';
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

const anyPort = { kind: 'ip', ip: '127.0.0.1', port: 0 } as const;

t.test('its address is taken before it is loaded, and whoever asks early waits', async (t) => {
  const process = start();
  process.admin.reserve(anyPort);
  process.admin.open(options);
  await process.elapse(500);
  t.same(process.did, ['load', 'make', 'listen']);
  const descriptor = process.descriptor()!;
  t.teardown(() => close(descriptor));
  const early = connect(portOf(descriptor), '127.0.0.1');
  t.teardown(() => early.destroy());
  await t.resolves(once(early, 'connect'));
});

t.test('what is reserved is free again when a successor takes it before it is loaded', async (t) => {
  const process = start();
  process.admin.reserve(anyPort);
  process.admin.open(options);
  process.admin.leave();
  await process.elapse(500);
  t.same(process.did, ['load'], 'nothing listens');
  t.equal(process.descriptor(), undefined);
});

t.test('a Unix socket is left to the server, and so is the word about an address that is taken', async (t) => {
  const pipe = start();
  pipe.admin.reserve({ kind: 'pipe', path: '/nowhere/admin.sock' });
  pipe.admin.open(options);
  await pipe.elapse(500);
  t.equal(pipe.descriptor(), undefined);
  const taken = start();
  taken.admin.reserve({ ...anyPort, ip: '192.0.2.1' });
  taken.admin.open(options);
  await taken.elapse(500);
  t.same(taken.did, ['load', 'make', 'listen']);
  t.equal(taken.descriptor(), undefined);
});

function portOf(descriptor: number): number {
  const address = localAddress(descriptor);
  return address?.kind === 'ip' ? address.port : 0;
}

function start() {
  const did: string[] = [];
  let listened: number | undefined;
  let timers: { readonly delayMs: number; readonly callback: () => void }[] = [];
  const server = {
    listen: ({ descriptor }: ListenOptions) => {
      did.push('listen');
      listened = descriptor;
    },
    leave: () => did.push('leave'),
  };
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
    descriptor: () => listened,
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
