import t from 'tap';
import { FEATURES, type FeatureName, type Use } from '../../../bpf/loader/features.ts';
import { LAYOUTS } from '../../../bpf/loader/object-layouts.ts';
import {
  type Finding,
  hopefulProbes,
  kernelProbes,
  missingFor,
  type Probes,
  programsToLeaveOut,
} from '../../../bpf/loader/probes.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { loadInstructions, ProgramType } from '../../../native/bpf-program.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';

/** A machine that has everything but these. */
function without(...missing: FeatureName[]): Probes {
  const no: Finding = { state: 'missing', detail: 'not here' };
  return { find: (feature) => (missing.includes(feature) ? no : { state: 'there' }) };
}

const namesFor = (use: Use, probes: Probes) => missingFor(use, probes).map(({ name }) => name);

t.test('what is missing is missing for those that need it', (t) => {
  t.same(namesFor('outbound', without()), []);
  t.same(namesFor('outbound', without('sk-lookup', 'ring-buffer', 'getpeername')), []);
  t.same(namesFor('inbound', without('sk-lookup', 'libbpf')), ['libbpf', 'sk-lookup'], 'in the order of mending');
  t.same(namesFor('pins', without('bpffs')), ['bpffs']);
  t.same(namesFor('outbound', { find: () => ({ state: 'unknown', detail: 'cannot be asked' }) })[0], 'libbpf');
  t.end();
});

t.test('who hopes asks for what is cheap to know, and the kernel nothing', (t) => {
  const asked: FeatureName[] = [];
  const probes = hopefulProbes({
    find: (feature) => {
      asked.push(feature);
      return { state: 'missing', detail: 'not here' };
    },
  });
  const found = FEATURES.filter(({ name }) => probes.find(name).state === 'missing').map(({ name }) => name);
  t.same(found, ['libbpf', 'capabilities', 'cgroup2', 'bpffs', 'kernel-btf']);
  t.same(asked, found);
  t.end();
});

t.test('programs that need what is missing are left out', (t) => {
  t.same(programsToLeaveOut(without()), []);
  t.same(programsToLeaveOut(without('getpeername')), ['or_peer4', 'or_peer6']);
  t.same(programsToLeaveOut(without('sendmsg', 'recvmsg')), ['or_send4', 'or_send6', 'or_recv4', 'or_recv6']);
  t.end();
});

t.test('every feature says what it is for, what its absence means and what to do', (t) => {
  const programs = Object.values(LAYOUTS).flatMap(({ programs }) => programs.map(({ name }) => name));
  t.equal(new Set(FEATURES.map(({ name }) => name)).size, FEATURES.length);
  for (const { name, title, purpose, absence, wayOut, programs: optional = [] } of FEATURES) {
    for (const text of [title, purpose, absence, wayOut]) t.match(text, /^\S.*[^.\s]$/, `${name}: ${text}`);
    for (const program of optional) t.ok(programs.includes(program), `${name}: ${program} is a program of ours`);
  }
  t.end();
});

const skip = bpfSkipReason('root', 'libbpf') ?? false;

t.test('this kernel is asked, and nothing of it stays', { skip }, (t) => {
  const probes = kernelProbes();
  probes.find('libbpf');
  const before = openDescriptors();
  for (const { name } of FEATURES) t.match(probes.find(name).state, /^(there|missing)$/, name);
  t.equal(openDescriptors(), before);
  t.equal(probes.find('connect'), probes.find('connect'), 'once');
  t.end();
});

t.test('a kernel that does not know a place or a type says no', { skip }, (t) => {
  const bytes = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  t.ok(loadInstructions({ type: ProgramType.cgroupSockAddr, attachType: 999, bytes }) < 0);
  t.ok(loadInstructions({ type: 999, attachType: 0, bytes }) < 0);
  t.ok(loadInstructions({ type: ProgramType.cgroupSockAddr, attachType: AttachType.skLookup, bytes }) < 0);
  t.end();
});
