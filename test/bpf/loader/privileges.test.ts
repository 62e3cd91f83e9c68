// What a sidecar may do: user 1337 of Istio, with the two capabilities and without.

import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';
import type { LoaderReport } from '../../support/loader-program.ts';

const skip = bpfSkipReason('root', 'libbpf', 'objects', 'cgroup2', 'bpffs') ?? false;

const PROXY_UID = 1337;
const ROOT = join(import.meta.dirname, '../../..');

function runAs(t: Test, name: string, capabilities: readonly string[]): LoaderReport {
  const bpffs = temporaryBpffs(t);
  chownSync(bpffs, PROXY_UID, PROXY_UID);
  const sets = ['-all', ...capabilities.map((capability) => `+${capability}`)].join(',');
  const { status, stdout, stderr } = spawnSync(
    'setpriv',
    [
      ...['--reuid', `${PROXY_UID}`, '--regid', `${PROXY_UID}`, '--clear-groups'],
      ...['--inh-caps', sets, '--ambient-caps', sets, '--bounding-set', sets],
      ...[process.execPath, 'test/support/loader-program.ts', temporaryCgroup(t, name), bpffs],
    ],
    { cwd: ROOT, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${status}: ${stderr}`);
  return JSON.parse(stdout) as LoaderReport;
}

t.test('CAP_BPF and CAP_NET_ADMIN are enough for everything, as uid 1337', { skip }, (t) => {
  const { steps, missing, gaps } = runAs(t, 'enough', ['bpf', 'net_admin']);
  const failed = Object.entries(steps).filter(([, outcome]) => outcome !== 'ok');
  t.same(failed, []);
  t.equal(Object.keys(steps).length, 19);
  t.same(missing, []);
  t.matchOnly(gaps, [
    /^cannot list programs: operation not permitted \(EPERM\); only what is pinned is listed/,
    /^cannot list/,
  ]);
  t.end();
});

t.test('without them the errors are sentences that say what to do', { skip }, (t) => {
  const wayOut = /; give the process CAP_BPF and CAP_NET_ADMIN \(before Linux 5\.8: CAP_SYS_ADMIN\)$/;
  for (const capabilities of [[], ['bpf'], ['net_admin']]) {
    const { steps, missing } = runAs(t, `less${capabilities.join('')}`, capabilities);
    t.match(steps['load outbound'], /^cannot load the BPF object outbound: operation not permitted \(EPERM\)/);
    t.match(steps['load outbound'], wayOut);
    t.equal(missing[0], 'capabilities', capabilities.join());
  }
  t.end();
});
