import t from 'tap';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { pendingHandler } from '../../../proxy/reactor/pending-handler.ts';

t.test('nothing is consumed before there is a handler', async (t) => {
  t.equal(pendingHandler.onData(new NativeBuffer(16), 3, 9), 0);
});
