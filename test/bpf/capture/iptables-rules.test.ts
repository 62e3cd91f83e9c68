import t from 'tap';
import { rulesOf, zoneRulesOf } from '../../../bpf/capture/iptables-rules.ts';
import { settingsOf } from './redirected-pod.ts';

const rules = (capture: unknown, family: 4 | 6 = 4) => rulesOf(settingsOf(capture), family);

t.test('what is shipped, as rules', (t) => {
  t.same(rules({}), [
    '-A OUTRIGGER_OUTPUT -m owner --uid-owner 1337 -j RETURN',
    '-A OUTRIGGER_OUTPUT -m owner --gid-owner 1337 -j RETURN',
    '-A OUTRIGGER_OUTPUT ! -p tcp -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 127.0.0.0/8 -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 169.254.0.0/16 -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 168.63.129.16/32 -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 100.100.100.200/32 -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 224.0.0.0/4 -j RETURN',
    '-A OUTRIGGER_OUTPUT -d 255.255.255.255/32 -j RETURN',
    '-A OUTRIGGER_OUTPUT -j OUTRIGGER_CAPTURE',
    '-A OUTRIGGER_CAPTURE -d 0.0.0.0/0 -p tcp -j REDIRECT --to-ports 15001',
    '-A OUTRIGGER_INBOUND -i lo -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 15006:15006 -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 15001:15001 -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 15008:15008 -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 15020:15021 -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 15090:15090 -j RETURN',
    '-A OUTRIGGER_INBOUND -p tcp --dport 1:65535 -j REDIRECT --to-ports 15006',
    '-A OUTPUT -j OUTRIGGER_OUTPUT',
    '-I PREROUTING 1 -p tcp -j OUTRIGGER_INBOUND',
  ]);
  t.end();
});

t.test('ranges of a family are in its table alone', (t) => {
  const settings = {
    outbound: { include_cidrs: ['10.0.0.0/8', 'fd00::/8'], exclude_cidrs: ['10.1.0.0/16', 'fd01::/16'] },
  };
  for (const [family, own, other] of [
    [4, '10.', 'fd0'],
    [6, 'fd0', '10.'],
  ] as const) {
    const ranges = rules(settings, family).filter((rule) => /10\.|fd0[01]::/.test(rule));
    t.equal(ranges.length, 2);
    t.ok(
      ranges.every((rule) => rule.includes(` -d ${own}`) && !rule.includes(` -d ${other}`)),
      `IPv${family}`,
    );
  }
  t.end();
});

t.test('what applications ask is kept apart from what the proxy asks, where DNS is captured', (t) => {
  const zones = (capture: unknown, family: 4 | 6 = 4) => zoneRulesOf(settingsOf(capture), family);
  t.same(zones({ dns: { servers: ['10.96.0.10', 'fd00::a'] } }), [
    '-A OUTRIGGER_DNS -p udp --sport 15053 -j CT --zone 1',
    '-A OUTRIGGER_DNS -m owner --uid-owner 1337 -j RETURN',
    '-A OUTRIGGER_DNS -m owner --gid-owner 1337 -j RETURN',
    '-A OUTRIGGER_DNS -d 10.96.0.10 -p udp --dport 53 -j CT --zone 1',
    '-A OUTPUT -p udp -j OUTRIGGER_DNS',
  ]);
  t.match(zones({ dns: {} }, 6).join('\n'), '! -d ::1/128 -p udp --dport 53 -j CT');
  t.same(zones({}), []);
  t.same(zones({ dns: { servers: ['10.96.0.10'] } }, 6), [], 'no server of that family');
  t.same(zones({ dns: {}, outbound: { exclude_ports: [53] } }), []);
  t.end();
});

t.test('DNS comes after the proxy is let pass and before other datagrams are', (t) => {
  const made = rules({ dns: { servers: ['10.96.0.10', 'fd00::a'] } });
  const dns = made.findIndex((rule) => rule.includes('--dport 53'));
  t.equal(made[dns], '-A OUTRIGGER_OUTPUT -d 10.96.0.10 -p udp --dport 53 -j REDIRECT --to-ports 15053');
  t.ok(dns > made.findIndex((rule) => rule.includes('--gid-owner')));
  t.ok(dns < made.indexOf('-A OUTRIGGER_OUTPUT ! -p tcp -j RETURN'));
  t.equal(made.filter((rule) => rule.includes('--dport 53')).length, 2, 'the server of the other family is not here');
  t.notMatch(rules({ dns: {}, outbound: { exclude_ports: [53] } }).join('\n'), /15053/);
  t.match(rules({ dns: {} }, 6).join('\n'), '! -d ::1/128 -p udp --dport 53');
  t.end();
});

t.test('of cgroups the innermost decides, and what is in no list passes', (t) => {
  const made = rules({ outbound: { include_cgroups: ['/a', '/a/b/c'], exclude_cgroups: ['/a/b'] } });
  t.same(
    made.filter((rule) => rule.includes('--path')),
    [
      '-A OUTRIGGER_OUTPUT -m cgroup --path "/a/b/c" -g OUTRIGGER_CAPTURE',
      '-A OUTRIGGER_OUTPUT -m cgroup --path "/a/b" -j RETURN',
      '-A OUTRIGGER_OUTPUT -m cgroup --path "/a" -g OUTRIGGER_CAPTURE',
    ],
  );
  t.notOk(made.includes('-A OUTRIGGER_OUTPUT -j OUTRIGGER_CAPTURE'));
  t.end();
});

t.test('what is captured by wish has no exception left', (t) => {
  const made = rules({ outbound: { loopback: true, link_local: true }, proxy: { mark: 7 } }).join('\n');
  t.notMatch(made, /169\.254|168\.63|-d 127\.0\.0\.0\/8 -j/);
  t.match(made, '-d 127.0.0.0/8 -p tcp --dport 15001 -j RETURN', "but for the proxy's own ports");
  t.match(made, '-m mark --mark 7 -j RETURN');
  t.end();
});

t.test('a path cannot end its quotes', (t) => {
  const made = rules({ proxy: { cgroup: '/a" -j ACCEPT\\' } });
  t.match(made.join('\n'), '--path "/a\\" -j ACCEPT\\\\" -j RETURN');
  t.end();
});
