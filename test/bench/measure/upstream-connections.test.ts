// Connections to the origin from /proc/net/tcp.
import t from 'tap';
import { parseEstablishedTo } from '../../../bench/measure/upstream-connections.ts';

const SAMPLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000
   1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000
   2: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0000000000000000
   3: 0100007F:C002 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000
`;

t.test('only established connections towards the port count, not those accepted on it', async (t) => {
  t.equal(parseEstablishedTo(SAMPLE, 0x1f90), 1);
  t.equal(parseEstablishedTo(SAMPLE, 0x1f91), 0);
});
