import t from 'tap';
import { MemoryWatch, tcpMemoryBytes } from '../../../bpf/shortcut/memory-watch.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, send } from '../../../native/socket.ts';
import { connectedPair } from '../../support/socket-pair.ts';

const MEBIBYTE = 2 ** 20;

t.test('more than the limit is told once, in words', (t) => {
  const reasons: string[] = [];
  const waiting: (() => void)[] = [];
  let bytes = 10 * MEBIBYTE;
  new MemoryWatch({
    read: () => bytes,
    schedule: (_delayMs, callback) => waiting.push(callback),
    onExceeded: (reason) => reasons.push(reason),
    mostBytes: 20 * MEBIBYTE,
  });
  waiting.shift()!();
  t.same(reasons, []);
  bytes = 21 * MEBIBYTE;
  waiting.shift()!();
  t.matchOnly(reasons, [/^TCP has 21 MiB on this machine, more than 20 MiB: a reader .* may not read$/]);
  t.equal(waiting.length, 0, 'it looks no more');
  t.end();
});

t.test('a watch that is stopped looks no more', (t) => {
  const waiting: (() => void)[] = [];
  const watch = new MemoryWatch({
    read: () => t.fail('it looked') as unknown as number,
    schedule: (_delayMs, callback) => waiting.push(callback),
    onExceeded: () => t.fail('it told'),
  });
  watch.stop();
  waiting.shift()!();
  t.equal(waiting.length, 0);
  t.end();
});

t.test('what waits in a socket is memory that TCP has', (t) => {
  const [client, server] = connectedPair();
  const buffer = new NativeBuffer(64 * 1024);
  let written = 0;
  for (let result = 1; result > 0; written += Math.max(0, result)) result = send(client, buffer, 0, buffer.length);
  t.ok(tcpMemoryBytes() > written / 2, `${written} bytes were written`);
  close(client);
  close(server);
  t.end();
});
