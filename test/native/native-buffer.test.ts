import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, receive, send } from '../../native/socket.ts';
import { connectedPair } from '../support/socket-pair.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

t.test('the memory stays where it is as long as the object lives', (t) => {
  const [one, other] = connectedPair();
  const buffers = Array.from({ length: 200 }, () => new NativeBuffer(4096));
  for (const [index, buffer] of buffers.entries()) buffer.bytes.fill(index);
  collectGarbage();
  const litter = Array.from({ length: 2000 }, () => Buffer.alloc(4096, 0xee));
  collectGarbage();
  const received = new NativeBuffer(4096);
  for (const [index, buffer] of buffers.entries()) {
    t.equal(send(one, buffer, 0, 4096), 4096);
    t.equal(receive(other, received, 0, 4096), 4096);
    if (!received.bytes.equals(Buffer.alloc(4096, index))) t.fail(`buffer ${index} changed`);
  }
  t.equal(litter.length, 2000);
  close(one);
  close(other);
  t.end();
});

t.test('two buffers never share memory', (t) => {
  const ranges = Array.from({ length: 100 }, () => new NativeBuffer(64)).map(({ address }) => address);
  ranges.sort((one, other) => one - other);
  for (let index = 1; index < ranges.length; index++) t.ok(ranges[index]! - ranges[index - 1]! >= 64);
  t.end();
});
