import t from 'tap';
import { IptablesCapture, openIptablesCapture, removeIptablesCapture } from '../../../bpf/capture/iptables-capture.ts';
import { type RunProgram, runProgram } from '../../../bpf/capture/iptables-program.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { BpfRig } from '../../support/bpf-rig.ts';
import { inboundCases } from './inbound-cases.ts';
import { outboundCases } from './outbound-cases.ts';
import { iptablesSkipReason, RedirectedPod, settingsOf, type WayToCapture } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'namespaces') ?? iptablesSkipReason();

const iptables: WayToCapture = {
  name: 'iptables',
  open: (settings, { netnsFd }) => openIptablesCapture({ settings, netnsFd: netnsFd! }),
};

t.test('capture by iptables', { skip }, async (t) => {
  const pod = await RedirectedPod.open(t);
  for (const { name, run } of [...outboundCases, ...inboundCases]) await t.test(name, (t) => run(t, pod, iptables));
});

/** Both tables as they are, without counters. */
function tablesOf(rig: BpfRig): string {
  const save = (program: string) => rig.run('pod', program, '-t', 'nat').replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
  return save('iptables-save') + save('ip6tables-save');
}

const everySetting = {
  outbound: {
    include_ports: [80, '8000-8010'],
    exclude_ports: [22],
    include_cidrs: ['10.0.0.0/8', 'fd00::/8', '::/0'],
    exclude_cidrs: ['10.1.2.3', 'fd01::1'],
    exclude_cgroups: ['/'],
    loopback: true,
    link_local: true,
  },
  inbound: { include_ports: ['1-1000'], exclude_ports: ['5-6'] },
  dns: { servers: ['10.96.0.10', 'fd00::a'] },
  proxy: { uids: [0, 4294967294], gids: [5], mark: 4294967294, cgroup: '/' },
};

t.test('rules beside those of others', { skip }, async (t) => {
  const rig = await BpfRig.open(t);
  const { netnsFd } = rig;
  rig.run(
    'pod',
    'iptables',
    '-t',
    'nat',
    '-A',
    'OUTPUT',
    '-d',
    '10.99.0.1',
    '-p',
    'tcp',
    '-j',
    'DNAT',
    '--to',
    '10.99.0.2',
  );
  // The table is made when it is first used; from then on it is there.
  rig.run('pod', 'ip6tables', '-t', 'nat', '-N', 'OTHERS');
  const before = tablesOf(rig);

  await t.test('to apply them again changes nothing, and other settings replace them', async (t) => {
    openIptablesCapture({ settings: settingsOf({}), netnsFd });
    const once = tablesOf(rig);
    t.match(once, 'OUTRIGGER_CAPTURE');
    openIptablesCapture({ settings: settingsOf({}), netnsFd });
    t.equal(tablesOf(rig), once);
    openIptablesCapture({ settings: settingsOf({ outbound: { port: 16001 } }), netnsFd });
    t.equal(tablesOf(rig), once.replaceAll('15001', '16001'));
    t.equal(removeIptablesCapture(netnsFd), undefined);
    t.equal(tablesOf(rig), before, 'the rules of others are as they were');
    t.equal(removeIptablesCapture(netnsFd), undefined, 'where nothing is there is nothing to do');
  });

  await t.test('iptables takes every setting', async (t) => {
    const capture = openIptablesCapture({
      settings: settingsOf(everySetting),
      netnsFd,
    });
    t.notMatch(capture, { reason: /./ });
    t.equal(removeIptablesCapture(netnsFd), undefined);
    t.equal(tablesOf(rig), before);
  });

  await t.test('nothing is left of a change that fails halfway', async (t) => {
    // The trial of both families goes well; the change of the second does not.
    const run: RunProgram = (program, args, input) =>
      program === 'ip6tables-restore' && !args.includes('--test') && input.includes('REDIRECT')
        ? { status: 1, stdout: '', stderr: 'ip6tables-restore: line 7 failed' }
        : runProgram(program, args, input);
    t.match(openIptablesCapture({ settings: settingsOf({}), netnsFd, run }), {
      reason: 'cannot change the rules of IPv6: ip6tables-restore says ip6tables-restore: line 7 failed',
    });
    t.equal(tablesOf(rig), before);
  });

  await t.test("where Istio's rules are, nothing is added", async (t) => {
    rig.run('pod', 'iptables', '-t', 'nat', '-N', 'ISTIO_OUTPUT');
    const istio = tablesOf(rig);
    t.match(openIptablesCapture({ settings: settingsOf({}), netnsFd }), {
      reason: 'connections are redirected already, by the rules of Istio (ISTIO_OUTPUT)',
      wayOut: /without --capture/,
    });
    t.equal(tablesOf(rig), istio);
  });
});

t.test('what applications ask of DNS is kept apart while it is captured, and no longer', { skip }, async (t) => {
  const rig = await BpfRig.open(t);
  const { netnsFd } = rig;
  const zones = () => rig.run('pod', 'iptables-save', '-t', 'raw') + rig.run('pod', 'ip6tables-save', '-t', 'raw');
  openIptablesCapture({ settings: settingsOf(everySetting), netnsFd });
  t.match(zones(), '-A OUTRIGGER_DNS -d 10.96.0.10/32 -p udp -m udp --dport 53 -j CT --zone 1');
  t.match(zones(), '-A OUTRIGGER_DNS -d fd00::a/128 -p udp -m udp --dport 53 -j CT --zone 1');
  openIptablesCapture({ settings: settingsOf({}), netnsFd });
  t.notMatch(zones(), 'OUTRIGGER', 'by other settings');
  openIptablesCapture({ settings: settingsOf(everySetting), netnsFd });
  t.equal(removeIptablesCapture(netnsFd), undefined);
  t.notMatch(zones(), 'OUTRIGGER', 'by taking the rules away');
});

t.test('where the kernel has no raw table, all but DNS is captured and taken away again', (t) => {
  let nat = '';
  const run: RunProgram = (program, args, input) => {
    if (program.endsWith('-save')) return { status: 0, stdout: nat, stderr: '' };
    if (input.startsWith('*raw')) return { status: 1, stdout: '', stderr: "can't initialize table `raw'" };
    if (!args.includes('--test')) nat = input.includes('REDIRECT') ? input : '';
    return { status: 0, stdout: '', stderr: '' };
  };
  t.match(openIptablesCapture({ settings: settingsOf({ dns: {} }), run }), { reason: /can't initialize table `raw'/ });
  t.equal(nat, '', 'a part of what was asked for is not left there');
  t.type(openIptablesCapture({ settings: settingsOf({}), run }), IptablesCapture);
  t.match(nat, 'REDIRECT --to-ports 15001');
  t.equal(removeIptablesCapture(undefined, run), undefined);
  t.equal(nat, '');
  t.end();
});

t.test('without a sign to tell the proxy by there are no rules', (t) => {
  const run: RunProgram = () => t.fail('nothing is run') as never;
  t.match(openIptablesCapture({ settings: settingsOf({ proxy: { uids: [], gids: [] } }), run }), {
    reason: /own connections cannot be told/,
    wayOut: /uid, gid, mark or cgroup/,
  });
  t.end();
});

t.test('closed, rules from before stay when new ones cannot be made', (t) => {
  const removalsUnder = (policy: string, table: string) => {
    const removals: string[] = [];
    const run: RunProgram = (program, args, input) => {
      if (program.endsWith('-save')) return { status: 0, stdout: table, stderr: '' };
      if (!input.includes('REDIRECT')) removals.push(program);
      // Somebody else holds the lock while the change is made, after its trial.
      const isTaken = input.includes('REDIRECT') && !args.includes('--test');
      return { status: isTaken ? 4 : 0, stdout: '', stderr: 'Another app is currently holding the xtables lock' };
    };
    t.match(openIptablesCapture({ settings: settingsOf({ policy }), run }), { reason: /xtables lock/ });
    return removals;
  };
  const ours = '*nat\n:OUTRIGGER_OUTPUT - [0:0]\n-A OUTPUT -j OUTRIGGER_OUTPUT\nCOMMIT\n';
  t.same(removalsUnder('closed', ours), []);
  t.same(removalsUnder('open', ours), ['iptables-restore', 'ip6tables-restore']);
  t.same(removalsUnder('closed', ''), [], 'there is nothing to remove');
  t.end();
});
