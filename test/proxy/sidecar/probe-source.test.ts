import t from 'tap';
import { leavingFrom } from '../../../proxy/sidecar/probe-source.ts';

t.test('names are looked up in the family of the source', async (t) => {
  t.strictSame(leavingFrom('127.0.0.6'), { localAddress: '127.0.0.6', family: 4 });
  t.strictSame(leavingFrom('::6'), { localAddress: '::6', family: 6 });
  t.strictSame(leavingFrom(undefined), {});
});
