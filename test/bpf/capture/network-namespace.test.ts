import t from 'tap';
import { listsIstioSource6 } from '../../../bpf/capture/network-namespace.ts';

const loopback = '00000000000000000000000000000001 01 80 10 80       lo\n';
const near = '00000000000000000000000000000061 01 80 10 80       lo\n00000000000000000000000000000006a 01 80 10 80 x\n';
const source = '00000000000000000000000000000006 01 80 10 80       lo\n';

t.test('::6 is found among the addresses of a namespace, and nothing that resembles it', async (t) => {
  t.equal(listsIstioSource6(loopback + source), true);
  t.equal(listsIstioSource6(loopback + near), false);
  t.equal(listsIstioSource6(''), false, 'a namespace without IPv6');
});
