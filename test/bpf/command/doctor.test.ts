import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type DoctorReport, type Examination, examine } from '../../../bpf/command/doctor.ts';
import { doctorText } from '../../../bpf/command/doctor-text.ts';
import { FEATURES, type FeatureName } from '../../../bpf/loader/features.ts';
import type { LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import type { Finding, Probes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';

const noObjects: LoadFailure = { reason: 'there are no objects', wayOut: 'build them' };
const skipObjects = bpfSkipReason('objects') ?? false;

t.test('where all is there, eBPF is chosen and nothing is missing', { skip: skipObjects }, (t) => {
  const report = examined({ objects: ObjectFiles.open() });
  t.ok(report.uses.every(({ isPossible }) => isPossible));
  t.match(report.choice, { kind: 'ebpf' });
  const text = doctorText(report);
  t.match(text, /^ {2}yes {2}redirect outbound connections$/m);
  t.match(text, 'Nothing is missing.');
  t.end();
});

t.test('each missing feature is told with its purpose, its cost and the way out', (t) => {
  for (const { name, title, purpose, absence, wayOut } of FEATURES) {
    const text = doctorText(examined({ probes: lacking(name) })).replaceAll(/\s+/g, ' ');
    for (const part of [`Missing: ${title}`, purpose, absence, wayOut]) t.ok(text.includes(part), `${name}: ${part}`);
  }
  t.end();
});

t.test('a feature that only one use needs takes away that use alone', { skip: skipObjects }, (t) => {
  const report = examined({ objects: ObjectFiles.open(), probes: lacking('ring-buffer') });
  t.same(
    report.uses.filter(({ isPossible }) => !isPossible).map(({ use }) => use),
    ['events'],
  );
  t.match(report.choice, { kind: 'ebpf' });
  t.end();
});

t.test('without eBPF, iptables is chosen where its commands are, and nothing otherwise', (t) => {
  const path = commands(t, 'iptables-restore', 'ip6tables-restore');
  t.matchOnly(examined({ path }).choice, {
    kind: 'iptables',
    why: [/^not eBPF: there are no objects/, 'iptables: its commands are there'],
  });
  const { choice } = examined({ probes: lacking('sk-lookup'), path });
  t.matchOnly(choice, {
    kind: 'iptables',
    why: [/^not eBPF: this machine or this process lacks programs at the choice/, /^iptables/],
  });
  t.matchOnly(examined({ probes: lacking('sk-lookup'), path: commands(t, 'iptables-restore') }).choice, {
    kind: 'none',
    why: [/^not eBPF/, 'not iptables: there is no command ip6tables-restore', /^none/],
  });
  t.end();
});

t.test('without capabilities the rest is not called missing: it could not be asked', (t) => {
  const probes: Probes = {
    find: (feature): Finding => {
      if (feature === 'capabilities') return { state: 'missing', detail: 'this process has no CAP_NET_ADMIN' };
      if (feature === 'libbpf') return { state: 'there' };
      return { state: 'unknown', detail: 'cannot be asked without capabilities' };
    },
  };
  const report = examined({ probes, path: commands(t, 'iptables-restore', 'ip6tables-restore') });
  t.same(report.uses.find(({ use }) => use === 'inbound')?.lacks, ['CAP_BPF and CAP_NET_ADMIN']);
  t.matchOnly(report.choice, { kind: 'none', why: [/./, 'not iptables: this process has no CAP_NET_ADMIN', /./] });
  t.equal(doctorText(report).match(/^Missing:/gm)?.length, 1);
  t.end();
});

t.test('objects that are not as released are a finding, with the way out', { skip: skipObjects }, (t) => {
  const text = doctorText(examined({ objects: noObjects }));
  t.match(text, /^BPF objects: NO\n {2}found {4}there are no objects\n {2}do {7}build them$/m);
  t.end();
});

t.test(
  'a cgroup is looked at: what is attached, or why it cannot be reached',
  { skip: bpfSkipReason('root', 'cgroup2', 'libbpf') ?? false },
  (t) => {
    const folder = temporaryCgroup(t, 'doctor');
    t.same(examined({ cgroupFolder: folder }).cgroup, { kind: 'cgroup', folder, others: [] });
    t.match(examined({ cgroupFolder: `${folder}/absent` }).cgroup, { kind: 'failure', wayOut: /node agent/ });
    t.match(examined({ cgroupFolder: t.testdir({}) }).cgroup, { kind: 'failure', reason: /is no cgroup/ });
    t.match(doctorText(examined({ cgroupFolder: folder })), 'nobody is attached to it');
    t.end();
  },
);

t.test('no line is wider than a terminal, but for what cannot be broken', (t) => {
  const everything = FEATURES.map(({ name }) => name);
  for (const name of everything) {
    const long = doctorText(examined({ probes: lacking(name) }))
      .split('\n')
      .filter((line) => line.length > 110);
    t.same(long, [], name);
  }
  t.end();
});

function examined(options: Partial<Examination>): DoctorReport {
  return examine({ probes: lacking(), objects: noObjects, path: '', ...options });
}

function lacking(...names: readonly FeatureName[]): Probes {
  return {
    find: (name) => (names.includes(name) ? { state: 'missing', detail: 'a probe said no' } : { state: 'there' }),
  };
}

/** A PATH with these commands. */
function commands(t: Test, ...names: readonly string[]): string {
  const folder = t.testdir({});
  for (const name of names) {
    writeFileSync(join(folder, name), '#!/bin/sh\n');
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}
