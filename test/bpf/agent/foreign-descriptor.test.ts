import { fstatSync, openSync } from 'node:fs';
import t from 'tap';
import { closeForeign } from '../../../bpf/agent/foreign-descriptor.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { receive, setLinger, shutdownBoth } from '../../../native/socket.ts';
import { connectedPair } from '../../support/socket-pair.ts';

t.test('files and sockets are closed in some time, and who shares a socket keeps it', async (t) => {
  const [near, far] = connectedPair();
  const file = openSync('/dev/null', 'r');
  setLinger(near, 0);
  for (const fd of [near, file]) {
    closeForeign(fd);
    const isOpen = () => {
      try {
        return fstatSync(fd) !== undefined;
      } catch (error) {
        t.match(error, { code: 'EBADF' });
        return false;
      }
    };
    while (isOpen()) await new Promise(setImmediate);
  }
  const bytes = new NativeBuffer(1);
  t.equal(receive(far, bytes, 0, 1), 0, 'an end, and no reset: the option was taken back');
  t.equal(shutdownBoth(far), 0);
  closeForeign(far);
});
