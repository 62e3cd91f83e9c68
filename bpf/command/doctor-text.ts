// The doctor's report as text: first what works, then what does not with what to do about it, then the rest.

import type { CgroupFinding, DoctorReport, ObjectsFinding } from './doctor.ts';
import { columns, paragraph } from './text-layout.ts';

export function doctorText(report: DoctorReport): string {
  const sections = [usesText(report), choiceText(report), objectsText(report.objects)];
  if (report.cgroup !== undefined) sections.push(cgroupText(report.cgroup));
  return `${[...sections, missingText(report), thereText(report)].filter((text) => text !== '').join('\n\n')}\n`;
}

function usesText({ uses }: DoctorReport): string {
  const rows = uses.map(({ title, isPossible, lacks }) => [
    isPossible ? 'yes' : 'NO',
    title,
    isPossible ? '' : `lacks ${lacks.slice(0, 2).join(', ')}${lacks.length > 2 ? `, ${lacks.length - 2} more` : ''}`,
  ]);
  return `With eBPF, this process can on this machine\n${columns(rows, '  ')}`;
}

function choiceText({ choice }: DoctorReport): string {
  const names = { ebpf: 'eBPF', iptables: 'iptables', none: 'nothing' };
  return [`--capture auto would choose ${names[choice.kind]}`, ...choice.why.map((why) => paragraph('  ', why))].join(
    '\n',
  );
}

function objectsText(objects: ObjectsFinding): string {
  if (objects.kind === 'failure') {
    return ['BPF objects: NO', paragraph('  found    ', objects.reason), wayOutText(objects.wayOut)]
      .join('\n')
      .trimEnd();
  }
  const { folder, names, compiler, unsigned } = objects;
  const signature = unsigned === undefined ? 'the manifest is signed by the release key' : unsigned;
  return `BPF objects: ${names.join(', ')}\n${paragraph('  ', `in ${folder}, by ${compiler}; every hash is the manifest's; ${signature}`)}`;
}

function cgroupText(cgroup: CgroupFinding): string {
  if (cgroup.kind === 'failure') {
    return [`Cgroup ${cgroup.folder}: NO`, paragraph('  found    ', cgroup.reason), wayOutText(cgroup.wayOut)].join(
      '\n',
    );
  }
  const others = cgroup.others.map(({ id, name }) => `${name} (program ${id})`);
  const beside =
    others.length === 0 ? 'nobody is attached to it' : `attached already: ${others.join(', ')}; others are left alone`;
  return `Cgroup ${cgroup.folder}\n${paragraph('  ', beside)}`;
}

function missingText({ features }: DoctorReport): string {
  const missing = features.filter(({ state }) => state === 'missing');
  if (missing.length === 0) return 'Nothing is missing.';
  const parts = missing.map(({ title, purpose, detail, absence, wayOut }) =>
    [
      `Missing: ${title}`,
      paragraph('  what for ', purpose),
      paragraph('  found    ', detail ?? ''),
      paragraph('  without  ', absence),
      wayOutText(wayOut),
    ].join('\n'),
  );
  return parts.join('\n\n');
}

function wayOutText(wayOut: string | undefined): string {
  return wayOut === undefined ? '' : paragraph('  do       ', wayOut);
}

function thereText({ features }: DoctorReport): string {
  const found = (state: string) => features.filter((feature) => feature.state === state);
  const there = found('there').map(({ title, detail }) => (detail === undefined ? title : `${title} (${detail})`));
  const unknown = found('unknown').map(({ title }) => title);
  const parts = there.length === 0 ? [] : [`There:\n${paragraph('  ', there.join('; '))}`];
  if (unknown.length > 0) {
    parts.push(`Cannot be asked for lack of what is missing above:\n${paragraph('  ', unknown.join('; '))}`);
  }
  return parts.join('\n\n');
}
