import t, { type Test } from 'tap';
import { type CaptureOptions, openCapture } from '../../../bpf/capture/capture.ts';
import { type RunProgram, runProgram } from '../../../bpf/capture/iptables-program.ts';
import type { FeatureName } from '../../../bpf/loader/features.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { kernelProbes, type Probes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { BpfRig } from '../../support/bpf-rig.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { iptablesSkipReason, settingsOf } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces') ?? false;

/** This machine, or one that has everything but for some features. */
function without(...lacking: readonly FeatureName[]): Probes {
  return {
    find: (feature) =>
      lacking.includes(feature) ? { state: 'missing', detail: 'a test says so' } : { state: 'there' },
  };
}

const noPrograms: RunProgram = () => ({
  status: null,
  stdout: '',
  stderr: '',
  error: Object.assign(new Error('spawn'), { code: 'ENOENT' }),
});

function opened(options: Partial<CaptureOptions>) {
  return openCapture({ mode: 'auto', settings: settingsOf({}), targets: {}, pins: null, ...options });
}

async function targetsOf(t: Test) {
  const rig = await BpfRig.open(t);
  return { cgroup: rig.applicationCgroup, sidecarCgroup: rig.sidecarCgroup, netnsFd: rig.netnsFd };
}

t.test('where nothing can capture, nobody does, and each way says why', (t) => {
  const capture = opened({ probes: without('sk-lookup'), run: noPrograms });
  t.match(capture, {
    kind: 'none',
    explain: onlyItems(
      /^eBPF does not capture: .*sk_lookup.*: inbound connections cannot be captured by eBPF \(a test says so\); run a kernel/,
      /^iptables does not capture: cannot read the rules of IPv4: there is no iptables-save here; install iptables/,
    ),
  });
  if (isFailure(capture)) throw new Error(capture.reason);
  t.same([capture.counters(), capture.descriptors(), capture.setListener(4, 0)], [[], [], undefined]);
  t.equal(capture.release('detach'), undefined);
  t.end();
});

t.test('what was asked for by name is there or fails', (t) => {
  t.match(opened({ mode: 'ebpf', probes: without('connect') }), { reason: /connect\(2\)/, wayOut: /kernel/ });
  t.match(opened({ mode: 'iptables', run: noPrograms }), { reason: /no iptables-save/ });
  t.match(opened({ mode: 'none' }), { kind: 'none', explain: noItems });
  t.end();
});

function failureOf(capture: unknown, targets: CaptureOptions['targets'], lacking: FeatureName): string {
  const settings = settingsOf(capture);
  const found = opened({
    mode: 'ebpf',
    settings,
    targets: { cgroup: '/nowhere', ...targets },
    probes: without(lacking),
  });
  return isFailure(found) ? found.reason : 'captured';
}

t.test('each feature is missed by what needs it', (t) => {
  t.match(failureOf({}, {}, 'libbpf'), /^libbpf 1\.x: nothing of eBPF works/);
  t.match(failureOf({}, {}, 'capabilities'), /CAP_BPF/);
  t.match(failureOf({ dns: {} }, {}, 'recvmsg'), /recvmsg/);
  t.end();
});

t.test('no feature is missed by what does without it', { skip: bpfSkipReason('objects') ?? false }, (t) => {
  // The next thing that is in the way shows that these were none.
  t.equal(failureOf({}, {}, 'recvmsg'), '/nowhere is not a cgroup');
  t.equal(failureOf({}, { netnsFd: null }, 'sk-lookup'), '/nowhere is not a cgroup');
  t.equal(failureOf({}, {}, 'bpffs'), '/nowhere is not a cgroup');
  t.equal(failureOf({}, {}, 'getpeername'), '/nowhere is not a cgroup');
  t.end();
});

t.test('eBPF comes first', { skip }, async (t) => {
  const targets = await targetsOf(t);
  const capture = opened({ targets, probes: kernelProbes() });
  if (isFailure(capture)) throw new Error(capture.reason);
  t.equal(capture.kind, 'ebpf');
  t.matchOnly(capture.explain, [/closed, but connections pass by the proxy when this process is killed/]);
  t.same(
    capture.counters().map(({ group }) => group),
    ['outbound', 'inbound'],
  );
  t.ok(capture.descriptors().some(({ name }) => name === 'capture-link:or_connect4'));
  t.match(capture.setListener(4, 0), { reason: /cannot give inbound connections of IPv4 to this socket/ });
  t.equal(capture.release('detach'), undefined);
  const open = opened({ targets, settings: settingsOf({ policy: 'open' }) });
  if (isFailure(open)) throw new Error(open.reason);
  t.same(open.explain, []);
  open.release('detach');
});

t.test('what fails on this kernel says why as if it had been asked before', { skip }, async (t) => {
  const targets = await targetsOf(t);
  const asked = { mode: 'ebpf', targets: { ...targets, cgroup: '/nowhere' } } as const;
  const failure = opened(asked);
  t.match(failure, { reason: '/nowhere is not a cgroup' });
  t.same(failure, opened({ ...asked, probes: kernelProbes() }));
});

t.test('programs that the kernel lacks and nobody needs are left out', { skip }, async (t) => {
  const targets = await targetsOf(t);
  const capture = opened({ mode: 'ebpf', targets, probes: without('getpeername', 'ingress-ifindex') });
  if (isFailure(capture)) throw new Error(capture.reason);
  const names = capture.descriptors().map(({ name }) => name);
  t.ok(names.includes('capture-link:or_connect6') && !names.includes('capture-link:or_peer6'));
  capture.release('detach');
});

t.test('iptables comes second, and says what it cannot', { skip: skip || iptablesSkipReason() }, async (t) => {
  const targets = await targetsOf(t);
  const settings = settingsOf({ policy: 'open' });
  const capture = opened({ targets, settings, probes: without('sockmap'), run: runProgram });
  if (isFailure(capture)) throw new Error(capture.reason);
  t.match(capture, {
    kind: 'iptables',
    explain: onlyItems(/^eBPF does not capture: maps of sockets/, /policy is open, but rules/),
  });
  t.strictSame(capture.counters(), [
    { group: 'outbound', counts: { captured_tcp4: 0, captured_tcp6: 0, captured_dns: 0 } },
    { group: 'inbound', counts: { steered4: 0, steered6: 0 } },
  ]);
  t.equal(capture.release('detach'), undefined);
});
