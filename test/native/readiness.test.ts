import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { ReadableWatch, waitUntilReadable } from '../../native/readiness.ts';
import { close, receive, send } from '../../native/socket.ts';
import { unixSocketPair } from '../../native/unix-message.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const buffer = new NativeBuffer(16);

t.test('whoever watches is called for what is there and what comes, until it is read', async (t) => {
  const [one, other] = pairFor(t);
  send(one, buffer, 0, 3);
  let calls = 0;
  const third = Promise.withResolvers<void>();
  const watch = new ReadableWatch(other, () => {
    calls += 1;
    receive(other, buffer, 0, 1);
    if (calls === 3) third.resolve();
  });
  await third.promise;
  await turns(3);
  t.equal(calls, 3, 'a byte each time');
  send(one, buffer, 0, 1);
  await turns(3);
  t.equal(calls, 4);
  watch.close();
});

t.test('the end of the peer is something to read', async (t) => {
  const [one, other] = unixSocketPair('seqpacket') as [number, number];
  const length = await new Promise<number>((resolve) => {
    const watch = new ReadableWatch(other, () => {
      watch.close();
      resolve(receive(other, buffer, 0, 1));
    });
    close(one);
  });
  t.equal(length, 0);
  close(other);
});

t.test('nobody is called after closing, also for what had come', async (t) => {
  const [one, other] = pairFor(t);
  let calls = 0;
  const watch = new ReadableWatch(other, () => {
    calls += 1;
    watch.close();
    watch.close();
  });
  send(one, buffer, 0, 1);
  await turns(5);
  t.equal(calls, 1);
});

t.test('it goes on though nobody keeps what was returned', async (t) => {
  const [one, other] = pairFor(t);
  const called = new Promise<void>((resolve) => {
    const watch = new ReadableWatch(other, () => {
      watch.close();
      resolve();
    });
  });
  collectGarbage();
  await turns(2);
  collectGarbage();
  send(one, buffer, 0, 1);
  await called;
  t.pass('called');
});

t.test('what cannot be waited for is refused', (t) => {
  const fd = openSync(import.meta.filename, 'r');
  t.throws(() => new ReadableWatch(fd, () => {}), /cannot be waited for \(errno 1\)/);
  t.throws(() => new ReadableWatch(-1, () => {}), /descriptor -1 cannot be waited for \(errno 9\)/);
  closeSync(fd);
  t.end();
});

t.test('a whole epoll set can be watched', async (t) => {
  const [one, other] = pairFor(t);
  const epoll = new Epoll();
  epoll.add(other, 7, EpollEvent.readable);
  const generation = await new Promise<number>((resolve) => {
    const watch = epoll.watch((count) => {
      watch.close();
      resolve(count === 1 ? epoll.generation(0) : -1);
    });
    send(one, buffer, 0, 1);
  });
  t.equal(generation, 7);
  epoll.close();
});

t.test('a failure of the caller is one of the process, and the process ends while it watches', (t) => {
  const native = (file: string) => JSON.stringify(join(import.meta.dirname, '../../native', file));
  const program = `
    import { ReadableWatch } from ${native('readiness.ts')};
    import { unixSocketPair, sendMessage } from ${native('unix-message.ts')};
    import { NativeBuffer } from ${native('native-buffer.ts')};
    const [one, other] = unixSocketPair();
    new ReadableWatch(one, () => {});
    new ReadableWatch(other, () => { throw new Error('of the caller'); });
    process.on('uncaughtException', (error) => { console.log(error.message); process.exit(0); });
    sendMessage(one, new NativeBuffer(1), 1, []);
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  t.equal(output, 'of the caller\n');
  t.end();
});

t.test('a thread can block until there is something to read', (t) => {
  const [one, other] = pairFor(t);
  t.equal(waitUntilReadable(other, 1), 0);
  send(one, buffer, 0, 1);
  t.equal(waitUntilReadable(other, 60_000), 1);
  t.end();
});

/** So many turns of the loop, with a look at descriptors in each. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve));
}

function pairFor(t: Test): [number, number] {
  const pair = unixSocketPair('stream') as [number, number];
  t.teardown(() => {
    for (const fd of pair) close(fd);
  });
  return pair;
}
