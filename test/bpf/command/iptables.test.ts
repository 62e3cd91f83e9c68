// The command as it is run, in a network namespace of a pod: what it does to connections, for each back end that is here.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import t from 'tap';
import { BACKENDS } from '../../../bpf/capture/iptables-backend.ts';
import { runProgram } from '../../../bpf/capture/iptables-program.ts';
import { printRules } from '../../../bpf/command/iptables.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { type BpfRig, OUTSIDE, POD } from '../../support/bpf-rig.ts';
import { programFile } from '../../support/program-file.ts';
import { iptablesSkipReason, RedirectedPod, settingsOf } from '../capture/redirected-pod.ts';

const main = programFile('bpf/main.ts');
const skip = bpfSkipReason('root', 'cgroup2', 'namespaces') ?? iptablesSkipReason();
const legacyReason = existsSync('/proc/net/ip_tables_names') ? false : 'this kernel has no tables of the older kind';
const { ipv4, ipv6 } = OUTSIDE;

function command(rig: BpfRig, ...args: readonly string[]): string {
  return rig.run('pod', process.execPath, main, 'iptables', ...args);
}

/** Rules of both families and back ends, without counters. */
function everyRule(rig: BpfRig): string {
  const programs = ['iptables-save', 'ip6tables-save', 'iptables-legacy-save', 'ip6tables-legacy-save'];
  const there = programs.filter((program) => runProgram(program, ['--version'], '').status === 0);
  const texts = there.map((program) => rig.run('pod', program));
  return texts.join('').replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
}

function tablesShown(text: string): readonly string[] {
  return [...text.matchAll(/^(IPv.*);/gm)].map(([, table]) => table!);
}

t.test('what would be done is printed, and nothing is run', (t) => {
  const { text, exitCode } = printRules(settingsOf({ outbound: { exclude_ports: ['9000-9010'] } }));
  t.equal(exitCode, 0);
  t.match(text, /^# IPv4\n\*nat\n:OUTRIGGER_OUTPUT - \[0:0\]\n/);
  t.match(text, '-A OUTRIGGER_OUTPUT -p tcp --dport 9000:9010 -j RETURN');
  t.match(text, /\nCOMMIT\n# IPv6\n\*nat\n/);
  t.end();
});

for (const backend of BACKENDS) {
  const isHere = runProgram(`iptables-${backend}-save`, ['--version'], '').status === 0;
  const reason = skip || (isHere ? false : `there is no iptables-${backend}-save`);
  t.test(`rules of ${backend}`, { skip: reason }, async (t) => {
    const pod = await RedirectedPod.open(t);
    const { rig } = pod;
    rig.run('pod', `iptables-${backend}`, '-t', 'nat', '-N', 'OTHERS');
    rig.run('pod', `ip6tables-${backend}`, '-t', 'nat', '-N', 'OTHERS');
    const before = everyRule(rig);
    const at = ['--backend', backend];
    const reached = async () => [
      await pod.reach(ipv4, 8080),
      await pod.reach(ipv6, 8080),
      await pod.reach(POD.ipv4, 8080, pod.outside),
      await pod.reach(POD.ipv6, 8080, pod.outside),
    ];
    t.same(await reached(), ['origin', 'origin', 'application', 'application']);
    command(rig, 'apply', '--dry-run');
    t.equal(everyRule(rig), before, 'a trial changes nothing');

    t.match(command(rig, 'apply', ...at), `ports 15001 and 15006: IPv4 and IPv6, ${backend}`);
    const captured = [
      `outbound for ${ipv4}:8080`,
      `outbound for ${ipv6}:8080`,
      `inbound for ${POD.ipv4}:8080`,
      `inbound for ${POD.ipv6}:8080`,
    ];
    t.same(
      (await reached()).map((each) => each.replaceAll(/[[\]]/g, '')),
      captured,
    );
    const once = everyRule(rig);
    command(rig, 'apply', ...at);
    t.equal(everyRule(rig), once, 'twice is once');
    t.same(
      (await reached()).map((each) => each.replaceAll(/[[\]]/g, '')),
      captured,
    );
    t.match(
      command(rig, 'show'),
      new RegExp(`^IPv4, ${backend}.* [1-9]\\d*  -A OUTRIGGER_CAPTURE -p tcp -j REDIRECT`, 's'),
    );
    t.notMatch(command(rig, 'show'), 'table raw', 'without DNS');

    command(rig, 'apply', ...at, '--', '-o', '8080', '-d', '8080');
    t.same(await reached(), ['origin', 'origin', 'application', 'application'], 'other settings replace them');
    const other = BACKENDS.find((each) => each !== backend)!;
    if (runProgram(`iptables-${other}-save`, ['--version'], '').status === 0) {
      command(rig, 'apply', '--backend', other);
      t.equal(everyRule(rig).match(/^:OUTRIGGER_OUTPUT/gm)?.length, 2, 'one of each family, in one back end');
      t.match(await pod.reach(ipv4, 8080), /^outbound/);
    }
    t.strictSame(
      tablesShown(command(rig, 'apply', ...at, '--', '--redirect-dns') && command(rig, 'show')),
      [`IPv4, ${backend}, table nat`, `IPv4, ${backend}, table raw`, `IPv6, ${backend}, table nat`],
      'with DNS',
    );
    t.match(command(rig, 'show'), /packets that met each rule:\n.*-A OUTRIGGER_DNS .*-j CT --zone 1/s);
    command(rig, 'clean');
    t.match(everyRule(rig), ':OTHERS');
    t.notMatch(everyRule(rig), 'OUTRIGGER');
    command(rig, 'clean');
    t.same(await reached(), ['origin', 'origin', 'application', 'application']);
  });
}

t.test('to look makes no tables of the older kind', { skip: skip || legacyReason }, (t) => {
  const names = 'cat /proc/net/ip_tables_names';
  const show = `${process.execPath} ${main} iptables show --backend legacy`;
  const { stdout, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', `${show}; ${names}`], { encoding: 'utf8' });
  t.same({ stdout, stderr }, { stdout: '', stderr: 'outrigger iptables: there are no rules of outrigger here\n' });
  t.end();
});

t.test("where Istio's rules are, in whichever back end, none are made", { skip }, async (t) => {
  const { rig } = await RedirectedPod.open(t);
  for (const backend of BACKENDS) {
    if (runProgram(`iptables-${backend}`, ['--version'], '').status !== 0) continue;
    rig.run('pod', `iptables-${backend}`, '-t', 'nat', '-N', 'ISTIO_OUTPUT');
    t.throws(() => command(rig, 'apply'), { message: /redirected already, by the rules of Istio/ });
    t.notMatch(everyRule(rig), 'OUTRIGGER');
    rig.run('pod', `iptables-${backend}`, '-t', 'nat', '-X', 'ISTIO_OUTPUT');
  }
});

t.test('what is missing is named with the way out', { skip }, (t) => {
  const run = (environment: object, ...prefix: readonly string[]) => {
    const args = ['--net', ...prefix, process.execPath, main, 'iptables', 'apply'];
    return spawnSync('unshare', args, { encoding: 'utf8', env: { ...process.env, ...environment } });
  };
  t.match(run({}, 'setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'), {
    status: 1,
    stderr: /^outrigger iptables: cannot .*; run as root, or with CAP_NET_ADMIN and CAP_NET_RAW\n$/,
  });
  const folder = t.testdir({});
  t.match(run({}, 'env', `PATH=${folder}`), {
    status: 1,
    stderr: 'outrigger iptables: there is no iptables here; install iptables, or run a container whose image has it\n',
  });
  t.end();
});
