// `outrigger bpf doctor`: what redirection by eBPF finds on this machine, in the words of whoever has to mend it. It asks the
// kernel by trying, never by version, and tries nothing that outlives it.

import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AttachType } from '../../native/bpf-link.ts';
import { type AttachedProgram, attachedAt } from '../loader/attachment.ts';
import { FEATURES, type Feature, type Use } from '../loader/features.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { type Finding, missingFor, type Probes } from '../loader/probes.ts';

export interface DoctorReport {
  readonly uses: readonly UseFinding[];
  readonly features: readonly (Omit<Feature, 'programs'> & Finding)[];
  readonly choice: Choice;
  readonly objects: ObjectsFinding;
  readonly cgroup?: CgroupFinding;
}

export interface UseFinding {
  readonly use: Use;
  readonly title: string;
  readonly isPossible: boolean;
  /** Titles of what it lacks. */
  readonly lacks: readonly string[];
}

/** What `--capture auto` would take here. */
export interface Choice {
  readonly kind: 'ebpf' | 'iptables' | 'none';
  /** A line for each way, in the order in which they are tried. */
  readonly why: readonly string[];
}

export type ObjectsFinding =
  | {
      readonly kind: 'objects';
      readonly folder: string;
      readonly names: readonly string[];
      readonly compiler: string;
      /** Why there is no signature; absent when there is one. */
      readonly unsigned?: string;
    }
  | ({ readonly kind: 'failure' } & Omit<LoadFailure, 'verifierLog'>);

export type CgroupFinding =
  /** Programs of others that are attached where ours would be; ours go beside them. */
  | { readonly kind: 'cgroup'; readonly folder: string; readonly others: readonly AttachedProgram[] }
  | { readonly kind: 'failure'; readonly folder: string; readonly reason: string; readonly wayOut: string };

export interface Examination {
  readonly probes: Probes;
  readonly objects: ObjectFiles | LoadFailure;
  /** The application's. */
  readonly cgroupFolder?: string | undefined;
  /** PATH of the environment. */
  readonly path: string;
}

export function examine({ probes, objects, cgroupFolder, path }: Examination): DoctorReport {
  const found = objectsFinding(objects);
  return {
    uses: USES.map(([use, title]) => {
      const lacks = lackedFor([use], probes);
      return { use, title, isPossible: lacks.length === 0, lacks };
    }),
    features: FEATURES.map(({ programs: _, ...feature }) => ({ ...feature, ...probes.find(feature.name) })),
    choice: choose(probes, found, path),
    objects: found,
    ...(cgroupFolder !== undefined && { cgroup: cgroupFinding(cgroupFolder) }),
  };
}

const USES: readonly (readonly [Use, string])[] = [
  ['outbound', 'redirect outbound connections'],
  ['inbound', 'redirect inbound connections'],
  ['dns', 'redirect DNS'],
  ['pins', 'stay in place while the sidecar restarts'],
  ['shortcut', 'short-circuit connections within the pod'],
  ['events', 'report connections as they open and close'],
];

/** Titles of what is missing; what could not be asked follows from that, and is named only where nothing else is. */
function lackedFor(uses: readonly Use[], probes: Probes): readonly string[] {
  const lacked = new Set(uses.flatMap((use) => missingFor(use, probes)));
  const missing = [...lacked].filter(({ name }) => probes.find(name).state === 'missing');
  return (missing.length > 0 ? missing : [...lacked]).map(({ title }) => title);
}

/** Redirection of both directions has to work: half a mesh is none. */
function choose(probes: Probes, objects: ObjectsFinding, path: string): Choice {
  const lacks = lackedFor(['outbound', 'inbound'], probes);
  const reasons = lacks.length === 0 ? [] : [`this machine or this process lacks ${lacks.join(', ')}`];
  if (objects.kind === 'failure') reasons.push(objects.reason);
  if (reasons.length === 0) return { kind: 'ebpf', why: ['eBPF: all that it needs is there'] };
  const ebpf = `not eBPF: ${reasons.join('; ')}`;
  const tool = IPTABLES.find((command) => !isInPath(command, path));
  const capabilities = probes.find('capabilities');
  const isAdmin = capabilities.state === 'there' || !capabilities.detail?.includes('CAP_NET_ADMIN');
  if (tool === undefined && isAdmin) return { kind: 'iptables', why: [ebpf, 'iptables: its commands are there'] };
  const why = tool === undefined ? 'this process has no CAP_NET_ADMIN' : `there is no command ${tool}`;
  return { kind: 'none', why: [ebpf, `not iptables: ${why}`, 'none: connections are not redirected at all'] };
}

const IPTABLES = ['iptables-restore', 'ip6tables-restore'];

function isInPath(command: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).syscall === 'access') return false;
      throw error;
    }
  });
}

function objectsFinding(objects: ObjectFiles | LoadFailure): ObjectsFinding {
  if (isFailure(objects)) {
    const { reason, wayOut } = objects;
    return { kind: 'failure', reason, ...(wayOut !== undefined && { wayOut }) };
  }
  const { folder, manifest, signature } = objects;
  const names = [...manifest.objects.keys()];
  const broken = names.map((name) => objects.read(name)).find(isFailure);
  if (broken !== undefined) return objectsFinding(broken);
  const unsigned = signature.kind === 'unsigned' ? { unsigned: signature.because } : {};
  return { kind: 'objects', folder, names, compiler: manifest.compiler, ...unsigned };
}

const PLACES = [
  AttachType.inet4Connect,
  AttachType.inet6Connect,
  AttachType.sockOps,
  AttachType.getsockopt,
  AttachType.inet4Getpeername,
  AttachType.udp4Sendmsg,
];

function cgroupFinding(folder: string): CgroupFinding {
  let fd: number;
  try {
    fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    return {
      kind: 'failure',
      folder,
      reason: `it cannot be opened: ${(error as NodeJS.ErrnoException).code}`,
      wayOut: 'a sidecar sees its own cgroup alone: redirect through the node agent (--capture agent:SOCKET)',
    };
  }
  try {
    accessSync(join(folder, 'cgroup.procs'));
    const target = { kind: 'cgroup', fd, name: folder } as const;
    const others = PLACES.flatMap((place) => attachedAt(target, place));
    return {
      kind: 'cgroup',
      folder,
      others: others.filter(({ id }, at) => others.findIndex((each) => each.id === id) === at),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== 'access') throw error;
    return {
      kind: 'failure',
      folder,
      reason: `${folder} is no cgroup of cgroup v2`,
      wayOut: 'name a folder below the mount of cgroup2',
    };
  } finally {
    closeSync(fd);
  }
}
