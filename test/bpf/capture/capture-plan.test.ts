import fc from 'fast-check';
import t from 'tap';
import { planInbound, planOutbound } from '../../../bpf/capture/capture-plan.ts';
import { type CaptureSettings, defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { readCaptureSettings } from '../../../bpf/capture/settings-reader.ts';
import { inbound } from '../../../bpf/generated/inbound.ts';
import { outbound } from '../../../bpf/generated/outbound.ts';

const numbers = { cgroups: new Map(Object.entries({ '/app': 7n, '/debug': 8n })) };

function settingsOf(capture: unknown): CaptureSettings {
  const read = readCaptureSettings({ capture });
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return read.settings;
}

function entriesOf(settings: CaptureSettings, map: string): Record<string, string> {
  const { maps } = planOutbound(settings, numbers);
  const { entries } = maps.find(({ name }) => name === map)!;
  return Object.fromEntries(entries.map(({ key, value }) => [hex(key), hex(value)]));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

const signs = { hasIngressInterface: true, hasIstioSource6: false };

t.test('every constant of the programs is set, and every entry has the shape of its map', (t) => {
  const settings = settingsOf({
    outbound: { include_cidrs: ['10.0.0.0/8'], include_cgroups: ['/app'], exclude_cgroups: ['/debug'] },
    dns: { servers: ['fd00::a'] },
  });
  for (const [object, plan] of [
    [outbound, planOutbound(settings, numbers)],
    [inbound, planInbound(settings, signs)],
  ] as const) {
    t.same(Object.keys(plan.constants).sort(), object.constants.map(({ name }) => name).sort());
    for (const { name, entries } of plan.maps) {
      const shape = object.maps.find((map) => map.name === name)!;
      t.ok(entries.length > 0, `${name} has entries here`);
      for (const { key, value } of entries)
        t.same([key.length, value.length], [shape.keyBytes, shape.valueBytes], name);
    }
  }
  t.end();
});

t.test('what is shipped captures everything but for the proxy', (t) => {
  const { constants } = planOutbound(defaultCaptureSettings, numbers);
  t.match(constants, { outbound_port: 15001, dns_port: 0, default_capture: 1, default_cgroup: 1, fail_open: 0 });
  t.match(constants, { lists_cgroups: 0 });
  t.match(constants, { captures_loopback: 0, captures_link_local: 0, proxy_mark: 0, proxy_cgroup: 0n });
  t.same(entriesOf(defaultCaptureSettings, 'uids'), { '39050000': '00' });
  t.same(entriesOf(defaultCaptureSettings, 'gids'), { '39050000': '00' });
  t.same(entriesOf(defaultCaptureSettings, 'cidrs_out'), {}, 'a list of everything needs no entries');
  t.match(planInbound(defaultCaptureSettings, { hasIngressInterface: false, hasIstioSource6: true }).constants, {
    default_capture: 1,
    has_ingress_ifindex: 0,
    has_istio_source6: 1,
  });
  t.end();
});

t.test('constants say what settings say', (t) => {
  const settings = settingsOf({
    outbound: { loopback: true, link_local: true, include_cidrs: ['10.0.0.0/8'], include_cgroups: ['/app'] },
    inbound: { include_ports: [80] },
    dns: { port: 5353 },
    proxy: { mark: 5 },
    policy: 'open',
  });
  const { constants } = planOutbound(settings, { ...numbers, proxyCgroup: 9n, networkNamespaceCookie: 4n });
  t.match(constants, { captures_loopback: 1, captures_link_local: 1, default_capture: 0, default_cgroup: 0 });
  t.match(constants, { lists_cgroups: 1 });
  t.match(constants, { dns_port: 5353, dns_any: 1, proxy_mark: 5, proxy_cgroup: 9n, netns_cookie: 4n, fail_open: 1 });
  t.match(planInbound(settings, signs).constants, { default_capture: 0, fail_open: 1, has_istio_source6: 0 });
  t.end();
});

t.test('an excluded port 53 leaves DNS alone', (t) => {
  const settings = settingsOf({ outbound: { exclude_ports: ['50-60'] }, dns: {} });
  t.match(planOutbound(settings, numbers).constants, { dns_port: 0 });
  t.end();
});

t.test('servers of DNS are a list, or any', (t) => {
  const some = settingsOf({ dns: { servers: ['10.96.0.10', 'fd00::a'] } });
  t.match(planOutbound(some, numbers).constants, { dns_any: 0 });
  t.same(Object.keys(entriesOf(some, 'dns_servers')), [
    '00000000000000000000ffff0a60000a',
    'fd00000000000000000000000000000a',
  ]);
  t.same(entriesOf(settingsOf({ dns: {} }), 'dns_servers'), {});
  t.end();
});

t.test('ranges of addresses are keys with IPv4 96 bits longer', (t) => {
  const settings = settingsOf({ outbound: { include_cidrs: ['10.0.0.0/8'], exclude_cidrs: ['fd00::/8'] } });
  t.same(entriesOf(settings, 'cidrs_out'), {
    '6800000000000000000000000000ffff0a000000': '01',
    '08000000fd000000000000000000000000000000': '00',
  });
  t.end();
});

t.test('every port counts as everything, every address of one family does not', (t) => {
  const { constants } = planOutbound(
    settingsOf({ outbound: { include_cidrs: [], include_ports: ['1-65535'] } }),
    numbers,
  );
  t.match(constants, { default_capture: 1 });
  const ipv4 = settingsOf({ outbound: { include_cidrs: ['0.0.0.0/0'] } });
  t.match(planOutbound(ipv4, numbers).constants, { default_capture: 0 });
  t.end();
});

t.test('a cgroup that is included and excluded is excluded', (t) => {
  const settings = settingsOf({ outbound: { include_cgroups: ['/app', '/debug'], exclude_cgroups: ['/debug'] } });
  t.same(entriesOf(settings, 'cgroups'), { '0700000000000000': '01', '0800000000000000': '00' });
  t.end();
});

t.test('the bit of a port is set when a range has it, and else not', (t) => {
  const port = fc.integer({ min: 1, max: 65535 });
  const range = fc.tuple(port, port).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 4 }), fc.array(port, { maxLength: 50 }), (ranges, ports) => {
      const settings = {
        ...defaultCaptureSettings,
        outbound: { ...defaultCaptureSettings.outbound, excludePorts: ranges },
      };
      const [, excluded] = planOutbound(settings, numbers).maps[0]!.entries;
      const edges = ranges.flatMap(({ first, last }) => [first - 1, first, last, last + 1]);
      return [...ports, ...edges].every((port) => {
        const isSet = (excluded!.value[port >> 3]! & (1 << (port & 7))) !== 0;
        return isSet === ranges.some(({ first, last }) => first <= port && port <= last) || port > 65535;
      });
    }),
    { numRuns: 50 },
  );
  t.end();
});
