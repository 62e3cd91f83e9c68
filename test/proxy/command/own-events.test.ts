import t from 'tap';
import {
  type ConnectionEvent,
  ConnectionEventView,
  EventKind,
  writeConnectionEvent,
} from '../../../bpf/generated/events.ts';
import { ConnectionTotals } from '../../../proxy/command/own-events.ts';

const address = { ip: new Uint8Array(16) };
const event: ConnectionEvent = {
  timeNs: 1n,
  durationNs: 2n,
  cookie: 3n,
  cgroup: 4n,
  netns: 5n,
  bytesReceived: 100n,
  bytesAcked: 200n,
  srttUs: 6,
  minRttUs: 7,
  retransmits: 8,
  kind: EventKind.CLOSED,
  lastState: 1,
  local: address,
  remote: address,
  original: address,
  localPort: 1,
  remotePort: 2,
  originalPort: 3,
  family: 2,
};

t.test('connections are counted by how they begin and end, bytes when they end', async (t) => {
  const totals = new ConnectionTotals();
  const view = new DataView(new ArrayBuffer(128));
  const shown = new ConnectionEventView();
  shown.moveTo(view, 0);
  const { OPENED_ACTIVE, OPENED_PASSIVE, CLOSED, CONNECT_FAILED } = EventKind;
  for (const kind of [OPENED_ACTIVE, OPENED_ACTIVE, OPENED_PASSIVE, CLOSED, CLOSED, CONNECT_FAILED]) {
    writeConnectionEvent(view, 0, { ...event, kind });
    totals.add(shown);
  }
  t.same(totals.counts(), {
    connections_opened: 2,
    connections_accepted: 1,
    connections_closed: 2,
    connects_failed: 1,
    bytes_received: 300,
    bytes_sent: 600,
    retransmits: 24,
  });
});
