import fc from 'fast-check';
import t from 'tap';
import {
  type AgentReply,
  type AgentRequest,
  MOST_LINE_BYTES,
  readReply,
  readRequest,
  writeReply,
  writeRequest,
} from '../../../bpf/agent/enrolment-protocol.ts';
import { LineReader } from '../../../bpf/agent/line-reader.ts';
import { settingsTree } from '../../../bpf/agent/settings-tree.ts';
import { type CaptureSettings, defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { readCaptureSettings } from '../../../bpf/capture/settings-reader.ts';
import { onlyItems } from '../../support/only-items.ts';

const enrol = { protocol: 1, request: 'enrol', settings: { capture: {} }, listeners: ['ipv4'] };
const portRanges = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 1, max: 65535 }))
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
  { maxLength: 8 },
);
const cidrs = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(8, 16))
    .map(([byte, prefixLength]) => ({ ip: `${byte}.0.0.0`, prefixLength })),
  { maxLength: 8 },
);
const ids = fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 4 });
const settings: fc.Arbitrary<CaptureSettings> = fc
  .record({
    portRanges,
    cidrs,
    isOpen: fc.boolean(),
    hasDns: fc.boolean(),
    loopback: fc.boolean(),
    users: ids,
    groups: ids,
  })
  .map(({ portRanges, cidrs, isOpen, hasDns, loopback, users, groups }) => ({
    ...defaultCaptureSettings,
    outbound: {
      ...defaultCaptureSettings.outbound,
      excludePorts: portRanges,
      includeCidrs: cidrs,
      loopback,
      includeUids: users,
      includeGids: groups,
    },
    inbound: { ...defaultCaptureSettings.inbound, includePorts: portRanges },
    ...(hasDns && { dns: { port: 15053, servers: isOpen ? [] : ['10.96.0.10'] } }),
    policy: isOpen ? ('open' as const) : ('closed' as const),
  }));

t.test('settings pass through the reader of operators’ files unchanged', (t) => {
  fc.assert(
    fc.property(settings, (given) => {
      const read = readCaptureSettings(settingsTree(given));
      t.equal(read.kind, 'settings', JSON.stringify(read));
      if (read.kind === 'settings') t.same(read.settings, given);
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('what is written is what is read', (t) => {
  const requests: readonly AgentRequest[] = [
    { kind: 'enrol', settings: defaultCaptureSettings, listeners: ['ipv6', 'ipv4'] },
    { kind: 'enrol', settings: defaultCaptureSettings, listeners: [], pod: '0f0e0d0c-0b0a-0908-0706-050403020100' },
    { kind: 'listeners', listeners: ['ipv4'] },
    { kind: 'counters' },
    { kind: 'ready' },
    { kind: 'leave' },
  ];
  for (const request of requests) t.same(readRequest(writeRequest(request).trimEnd()), request);
  const replies: readonly AgentReply[] = [
    { kind: 'enrolled', pod: 'a', cgroup: '/b' },
    { kind: 'done' },
    { kind: 'counters', counters: { captured: 3 } },
    { kind: 'refused', reason: 'because', wayOut: 'so' },
  ];
  for (const reply of replies) t.same(readReply(writeReply(reply).trimEnd()), reply);
  t.end();
});

t.test('what is not exactly a request is refused with the reason', (t) => {
  const wrong: readonly [unknown, RegExp][] = [
    ['', /not JSON/],
    [[], /not an object/],
    [{ ...enrol, protocol: 2 }, /speaks version 1 .* says 2/],
    [{ ...enrol, request: 'toString' }, /no request "toString", only enrol, listeners, counters, ready, leave/],
    [{ ...enrol, bpffs: '/x' }, /"bpffs" is no field/],
    [{ protocol: 1, request: 'leave', pod: 'x' }, /"pod" is no field/],
    [{ ...enrol, pod: '../../x' }, /pod must be the uid/],
    [{ ...enrol, listeners: ['ipv4', 'ipv4'] }, /listeners must be/],
    [{ ...enrol, listeners: ['ipv4', 'ipv5'] }, /listeners must be/],
    [{ ...enrol, settings: { capture: { outbound: { port: 0 } } } }, /capture\.outbound\.port/],
    [{ ...enrol, settings: undefined }, /settings cannot be used/],
  ];
  for (const [tree, reason] of wrong) {
    const line = tree === '' ? '' : JSON.stringify(tree);
    t.match(readRequest(line), { kind: 'refused', reason }, line);
  }
  t.match(
    readRequest(JSON.stringify(enrol)),
    { kind: 'enrol', listeners: onlyItems('ipv4') },
    'and this one is a request',
  );
  t.end();
});

t.test('no line makes the readers throw, and answers to any are short', (t) => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((tree) => JSON.stringify({ ...enrol, ...tree })),
  );
  fc.assert(
    fc.property(anything, (line) => {
      const read = readRequest(line);
      if (read.kind === 'refused') t.ok(read.reason.length < 1000, read.reason);
      readReply(line);
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('lines come out whole however their bytes were cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll('\n', ''))),
      fc.array(fc.nat(20)),
      (lines, cuts) => {
        const reader = new LineReader(MOST_LINE_BYTES);
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const found: string[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          found.push(...reader.push(bytes.subarray(at, at + cut))!);
          at = Math.min(at + cut, bytes.length);
        }
        t.same(found, lines);
        t.notOk(reader.isWithinLine);
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a line that is too long, or no UTF-8, ends the reading', (t) => {
  const reader = new LineReader(8);
  t.same(reader.push(Buffer.from('12345678\n1234')), ['12345678']);
  t.ok(reader.isWithinLine);
  t.equal(reader.push(Buffer.from('56789')), undefined, 'before its end is seen');
  t.equal(new LineReader(8).push(Buffer.from('123456789\n')), undefined);
  t.equal(new LineReader(8).push(Buffer.from([0xff, 0x0a])), undefined);
  t.end();
});
