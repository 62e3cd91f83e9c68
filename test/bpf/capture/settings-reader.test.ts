import fc from 'fast-check';
import t from 'tap';
import { defaultCaptureSettings, everyAddress, everyPort } from '../../../bpf/capture/settings.ts';
import { readCaptureSettings } from '../../../bpf/capture/settings-reader.ts';

function settingsOf(capture: unknown) {
  const read = readCaptureSettings({ capture });
  if (read.kind === 'problems')
    throw new Error(read.problems.map(({ path, message }) => `${path} ${message}`).join('\n'));
  return read.settings;
}

function problemsOf(capture: unknown): readonly string[] {
  const read = readCaptureSettings({ capture });
  return read.kind === 'settings' ? [] : read.problems.map(({ path, message }) => `${path}: ${message}`);
}

/** Every field, none at its shipped value. */
const full = {
  outbound: {
    port: 16001,
    include_ports: ['8000-8010'],
    exclude_ports: [22, '5432'],
    include_cidrs: ['10.0.0.0/8', 'fd00::/8'],
    exclude_cidrs: ['10.9.0.1'],
    loopback: true,
    link_local: true,
    include_cgroups: ['/pod/app'],
    exclude_cgroups: ['/pod/debug'],
    include_uids: [1001],
    include_gids: [0, 2002],
  },
  inbound: { port: 16006, include_ports: [8080], exclude_ports: [9090] },
  dns: { port: 16053, servers: ['10.96.0.10', 'fd00::a'] },
  proxy: { uids: [1, 2], gids: [3], mark: 1337, cgroup: '/pod/sidecar' },
  policy: 'open',
  shortcut: { enabled: true, ports: [8080], accept: ['splice', 'fionread'] },
  events: true,
  event_ring_mib: 16,
};

t.test('what is not said is as shipped', (t) => {
  t.same(settingsOf({}), defaultCaptureSettings);
  t.same(settingsOf({ outbound: { exclude_ports: [22] } }), {
    ...defaultCaptureSettings,
    outbound: { ...defaultCaptureSettings.outbound, excludePorts: [{ first: 22, last: 22 }] },
  });
  t.end();
});

t.test('every field is read', (t) => {
  t.same(settingsOf(full), {
    outbound: {
      port: 16001,
      includePorts: [{ first: 8000, last: 8010 }],
      excludePorts: [
        { first: 22, last: 22 },
        { first: 5432, last: 5432 },
      ],
      includeCidrs: [
        { ip: '10.0.0.0', prefixLength: 8 },
        { ip: 'fd00::', prefixLength: 8 },
      ],
      excludeCidrs: [{ ip: '10.9.0.1', prefixLength: 32 }],
      loopback: true,
      linkLocal: true,
      includeCgroups: ['/pod/app'],
      excludeCgroups: ['/pod/debug'],
      includeUids: [1001],
      includeGids: [0, 2002],
    },
    inbound: { port: 16006, includePorts: [{ first: 8080, last: 8080 }], excludePorts: [{ first: 9090, last: 9090 }] },
    dns: { port: 16053, servers: ['10.96.0.10', 'fd00::a'] },
    proxy: { uids: [1, 2], gids: [3], mark: 1337, cgroup: '/pod/sidecar' },
    policy: 'open',
    shortcut: { enabled: true, ports: [8080], accept: ['splice', 'fionread'] },
    events: true,
    eventRingMib: 16,
  });
  t.end();
});

t.test('every field is checked, and told by its path', (t) => {
  for (const [name, value] of Object.entries(full)) {
    if (typeof value !== 'object') {
      t.matchOnly(problemsOf({ ...full, [name]: ['x'] }), [new RegExp(`^capture\\.${name}: must be`)]);
      continue;
    }
    for (const field of Object.keys(value)) {
      const wrong = { ...full, [name]: { ...value, [field]: { nonsense: 1 } } };
      t.matchOnly(problemsOf(wrong), [new RegExp(`^capture\\.${name}\\.${field}: must be`)], `${name}.${field}`);
    }
  }
  t.end();
});

t.test('a star is everything, alone or as the one item', (t) => {
  const { outbound, inbound } = settingsOf({
    outbound: { include_ports: '*', exclude_cidrs: ['*'] },
    inbound: { include_ports: ['*'] },
  });
  t.same(outbound.includePorts, everyPort);
  t.same(outbound.excludeCidrs, everyAddress);
  t.same(inbound.includePorts, everyPort);
  t.matchOnly(problemsOf({ outbound: { include_ports: ['*', 80] } }), [/include_ports\[0\]: must be a port/]);
  t.end();
});

t.test('DNS is captured when it is spoken of, of every server unless some are named', (t) => {
  t.notOk('dns' in settingsOf({}));
  t.same(settingsOf({ dns: {} }).dns, { port: 15053, servers: [] });
  t.same(settingsOf({ dns: { servers: ['*'] } }).dns, { port: 15053, servers: [] });
  t.matchOnly(problemsOf({ dns: { servers: [] } }), [/servers: is empty; leave dns out/]);
  t.matchOnly(problemsOf({ dns: { servers: ['ns.example'] } }), [/servers\[0\]: must be an address/]);
  t.equal(problemsOf({ dns: { servers: ['ns.example'] } }).length, 1, 'a list of what is no address is not empty');
  t.end();
});

t.test('the ring of events has one of the sizes that it can have', (t) => {
  for (const size of [0, 3, 4.5, 128, '4'])
    t.matchOnly(problemsOf({ event_ring_mib: size }), [/event_ring_mib: must be 1, 2, 4, 8, 16, 32 or 64, not/]);
  t.end();
});

t.test('one port cannot serve two purposes', (t) => {
  t.matchOnly(problemsOf({ inbound: { port: 15001 } }), ['capture: port 15001 is given for two purposes']);
  t.matchOnly(problemsOf({ dns: { port: 15006 } }), ['capture: port 15006 is given for two purposes']);
  t.end();
});

t.test('cgroups are paths that cannot leave the mount', (t) => {
  for (const path of ['app', '', '/../x', '/a/./b', '/a//b', '/a/', '/a\0', `/${'a'.repeat(5000)}`])
    t.matchOnly(
      problemsOf({ proxy: { cgroup: path } }),
      [/cgroup: must be a path below/],
      JSON.stringify(path.slice(0, 9)),
    );
  t.equal(settingsOf({ proxy: { cgroup: '/' } }).proxy.cgroup, '/');
  t.end();
});

t.test('ids are numbers that can be ids', (t) => {
  for (const id of [-1, 1.5, 4294967295, '1337', null])
    t.matchOnly(problemsOf({ proxy: { uids: [id] } }), [/uids\[0\]: must be a whole number/], String(id));
  t.matchOnly(problemsOf({ proxy: { mark: 0 } }), [/mark: must be a whole number from 1/], 'no mark is mark 0');
  t.same(settingsOf({ proxy: { uids: [] } }).proxy.uids, [], 'the mark or the cgroup tells the proxy');
  t.end();
});

t.test('what is not known is refused, with what there is', (t) => {
  t.matchOnly(problemsOf({ outbund: {} }), [/^capture\.outbund: is not a field; here may be outbound, inbound, dns/]);
  t.matchOnly(problemsOf({ shortcut: { ports: [0] } }), [/ports\[0\]: must be a port from 1 to 65535/]);
  t.matchOnly(problemsOf({ shortcut: { accept: ['order'] } }), [
    /accept\[0\]: must be fionread, blocking-recv or splice/,
  ]);
  t.matchOnly(problemsOf(JSON.parse('{"__proto__": {"policy": "open"}}')), [/__proto__: is not a field/]);
  t.matchOnly(problemsOf([]), [/^capture: must be a mapping of fields, not a list/]);
  t.same(readCaptureSettings({}), {
    kind: 'problems',
    problems: [{ path: 'capture', message: 'is missing; all settings are below it' }],
  });
  t.end();
});

t.test('lists are bounded', (t) => {
  const ports = Array.from({ length: 257 }, (_, index) => index + 1);
  t.matchOnly(problemsOf({ outbound: { exclude_ports: ports } }), [/exclude_ports: has more than 256 items/]);
  t.same(problemsOf({ outbound: { exclude_ports: ports.slice(1) } }), []);
  t.end();
});

t.test('no tree makes the reader fail otherwise than by problems', (t) => {
  const anything = fc.anything({ withNullPrototype: true });
  const names = fc.constantFrom(...Object.keys(full));
  const trees = fc.oneof(anything, fc.dictionary(names, fc.dictionary(fc.string(), anything)));
  fc.assert(
    fc.property(trees, (tree) => ['settings', 'problems'].includes(readCaptureSettings({ capture: tree }).kind)),
  );
  t.end();
});
