import t from 'tap';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { closePair, LoopbackListener, type LoopbackPair } from '../../../bpf/shortcut/loopback-pair.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { receive, remoteAddress, send } from '../../../native/socket.ts';

t.test('a pair is one connection to a port of its own', (t) => {
  const listener = LoopbackListener.open() as LoopbackListener;
  const { active, passive } = listener.connect() as LoopbackPair;
  t.match(remoteAddress(active), { ip: '127.0.0.1', port: listener.port });
  const buffer = new NativeBuffer(4);
  buffer.bytes.write('ping');
  t.equal(send(active, buffer, 0, 4), 4);
  t.equal(receive(passive, buffer, 0, 4), 4);
  closePair({ active, passive });
  listener.close();
  t.ok(isFailure(listener.connect()), 'nobody listens any more');
  t.end();
});
