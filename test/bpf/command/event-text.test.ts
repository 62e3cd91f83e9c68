import t from 'tap';
import { eventFields, eventText } from '../../../bpf/command/event-text.ts';
import {
  ConnectionEventView,
  connectionEventLayout,
  EventKind,
  writeConnectionEvent,
} from '../../../bpf/generated/events.ts';

const event = {
  timeNs: 1n,
  durationNs: 2n,
  cookie: 3n,
  cgroup: 4n,
  netns: 5n,
  bytesReceived: 6n,
  bytesAcked: 7n,
  srttUs: 8,
  minRttUs: 9,
  retransmits: 10,
  kind: EventKind.CLOSED,
  lastState: 11,
  local: { ip: Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]) },
  remote: { ip: Uint8Array.from([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]) },
  original: { ip: new Uint8Array(16) },
  localPort: 12,
  remotePort: 13,
  originalPort: 14,
  family: 2,
};

t.test('every field of an event is there, by its name in the programs', (t) => {
  const view = new DataView(new ArrayBuffer(connectionEventLayout.bytes));
  writeConnectionEvent(view, 0, event);
  const shown = new ConnectionEventView();
  shown.moveTo(view, 0);
  const fields = eventFields(shown);
  t.same(Object.keys(fields).toSorted(), connectionEventLayout.fields.map(({ name }) => name).toSorted());
  t.match(fields, {
    kind: 'closed',
    local: '127.0.0.1',
    remote: 'fd00::2',
    original: '::',
    bytesAcked: 7,
    originalPort: 14,
  });
  t.match(eventText(fields), /^closed .*remote=fd00::2/);
  t.end();
});
