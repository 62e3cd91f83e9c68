import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { close } from '../../../native/socket.ts';
import {
  addressOf,
  closeRendezvous,
  connectTo,
  openRendezvous,
  openUnusedRendezvous,
  type Rendezvous,
} from '../../../proxy/hot-restart/rendezvous.ts';

const base = { socketPath: `@outrigger-rendezvous-${process.pid}`, socketMode: 0o600, baseId: 1, epoch: 0 };

function opened(found: Rendezvous | string): Rendezvous {
  if (typeof found === 'string') throw new Error(found);
  return found;
}

t.test('base id and epoch are in the name, and one process has it', (t) => {
  const own = opened(openRendezvous(base));
  t.equal(own.path, `${base.socketPath}_1_0`);
  t.match(openRendezvous(base), /in use: another process has base id 1 and restart epoch 0/);
  const next = opened(openRendezvous({ ...base, epoch: 1 }));
  const fd = connectTo(base);
  t.ok(fd >= 0);
  close(fd);
  closeRendezvous(own);
  t.equal(connectTo(base), -Errno.ECONNREFUSED);
  closeRendezvous(next);
  t.end();
});

t.test('a file has its mode, goes with its process, and is replaced when its process died', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-rendezvous-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const name = { ...base, socketPath: join(folder, 'socket'), socketMode: 0o640 };
  const { path } = addressOf(name);
  t.equal(connectTo(name), -Errno.ENOENT);
  const own = opened(openRendezvous(name));
  t.equal(statSync(path).mode & 0o777, 0o640);
  t.match(openRendezvous(name), /in use/, 'one that somebody listens at is not');
  // As when the process dies: the file stays.
  close(own.fd);
  const again = opened(openRendezvous(name));
  closeRendezvous(again);
  t.notOk(existsSync(path));
  writeFileSync(path, 'mine');
  t.match(openRendezvous(name), /in use/, 'any other file is left alone');
  t.match(openRendezvous({ ...name, socketPath: join(folder, 'x'.repeat(120)) }), /cannot listen on .*too long/);
  const elsewhere = join(folder, 'none', 'socket');
  t.match(openRendezvous({ ...name, socketPath: elsewhere }), /there is no folder .*\/none; make it$/);
  t.end();
});

t.test('a dynamic base id is one that no process has', (t) => {
  const taken = opened(openRendezvous({ ...base, baseId: 500_000 }));
  const numbers = [0.5, 0.25];
  const own = opened(openUnusedRendezvous(base, () => numbers.shift()!));
  t.equal(own.baseId, 250_000);
  t.match(
    openUnusedRendezvous(base, () => 0.5),
    /in use/,
    'at some time it gives up',
  );
  closeRendezvous(taken);
  closeRendezvous(own);
  t.end();
});
