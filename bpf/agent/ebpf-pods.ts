// Redirection of pods by eBPF, as the node agent does it: pinned as `pod-<uid>` where bpffs is there, so that it outlives the
// agent under either policy. What is in place for a pod already is carried on by the new programs, link by
// link, whether an earlier agent pinned it or this one made it for an earlier sidecar.

import { join } from 'node:path/posix';
import { type EbpfCapture, openEbpfCapture } from '../capture/ebpf-capture.ts';
import { closeHeld, type NamedDescriptor } from '../capture/held-capture.ts';
import type { CgroupTree } from '../cgroup/cgroup-tree.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { PinFolder } from '../loader/pin-folder.ts';
import type { Probes } from '../loader/probes.ts';
import type { ListenerFamily } from './enrolment-protocol.ts';
import type { PodCapture, PodCaptures, PodPlan, PodRemains, RestoredPod } from './node-pods.ts';

export interface EbpfPodsOptions {
  readonly files: ObjectFiles;
  readonly probes: Probes;
  readonly tree: CgroupTree;
  /** Where bpffs is mounted; null: nothing is pinned, and all redirection ends with the agent. */
  readonly bpffs: string | null;
  /** What went wrong where nobody waits for an answer. */
  readonly onProblem: (problem: LoadFailure) => void;
}

export class EbpfPods implements PodCaptures {
  readonly #options: EbpfPodsOptions;

  constructor(options: EbpfPodsOptions) {
    this.#options = options;
  }

  open(plan: PodPlan, before: PodRemains | undefined): PodCapture | LoadFailure {
    const { files, probes, bpffs, onProblem, tree } = this.#options;
    const pins = bpffs === null ? null : PinFolder.at({ name: `${PREFIX}${plan.pod.uid}`, bpffs });
    if (isFailure(pins)) return pins;
    const capture = openEbpfCapture({
      settings: plan.settings,
      targets: {
        cgroup: plan.cgroupFolder,
        sidecarCgroup: plan.proxyCgroupFolder ?? null,
        netnsFd: plan.netnsFd < 0 ? null : plan.netnsFd,
        hasIstioSource6: plan.hasIstioSource6,
        isPod: true,
        cgroupRoot: tree.mountPath,
      },
      pins,
      pinsAlways: true,
      inherited: before instanceof EbpfPod ? before.descriptors() : [],
      files,
      probes,
    });
    if (isFailure(capture)) return capture;
    before?.release('stay');
    return new EbpfPod(plan.settings.policy, capture, onProblem);
  }

  restore(): readonly RestoredPod[] {
    const { bpffs, onProblem, tree } = this.#options;
    const names = bpffs === null ? [] : PinFolder.names(bpffs);
    if (isFailure(names)) {
      onProblem(names);
      return [];
    }
    return names
      .filter((name) => name.startsWith(PREFIX))
      .flatMap((name) => restoredPod({ name, bpffs: bpffs!, tree, onProblem }));
  }
}

const PREFIX = 'pod-';

class EbpfPod implements PodCapture {
  readonly policy: PodCapture['policy'];
  readonly #capture: EbpfCapture;
  readonly #onProblem: (problem: LoadFailure) => void;

  constructor(policy: PodCapture['policy'], capture: EbpfCapture, onProblem: (problem: LoadFailure) => void) {
    this.policy = policy;
    this.#capture = capture;
    this.#onProblem = onProblem;
  }

  descriptors(): readonly NamedDescriptor[] {
    return this.#capture.descriptors();
  }

  setListener(family: ListenerFamily, fd: number): LoadFailure | undefined {
    return this.#capture.setListener(family === 'ipv4' ? 4 : 6, fd);
  }

  counters(): Readonly<Record<string, number>> {
    const groups = this.#capture.counters();
    return Object.fromEntries(
      groups.flatMap(({ group, counts }) => Object.entries(counts).map(([name, count]) => [`${group}.${name}`, count])),
    );
  }

  release(outcome: 'detach' | 'stay'): void {
    const failure = this.#capture.release(outcome);
    if (failure !== undefined) this.#onProblem(failure);
  }
}

interface Restoring extends Pick<EbpfPodsOptions, 'tree' | 'onProblem'> {
  readonly name: string;
  readonly bpffs: string;
}

/** None, and the reason told, when what is pinned cannot be read: it stays, and no pod can be enrolled over it. */
function restoredPod({ name, bpffs, tree, onProblem }: Restoring): readonly RestoredPod[] {
  const pins = PinFolder.at({ name, bpffs });
  if (isFailure(pins)) return [];
  const pinned = pins.read();
  if (isFailure(pinned)) {
    onProblem(pinned);
    return [];
  }
  closeHeld(pinned);
  const told = pinned.settings as {
    readonly cgroup?: unknown;
    readonly settings?: { readonly policy?: unknown };
  } | null;
  const folder = told?.cgroup;
  if (typeof folder !== 'string') {
    onProblem({ reason: `${pins.path} does not say of which cgroup it is`, wayOut: `remove it: rm -r ${pins.path}` });
    return [];
  }
  const remains: PodRemains = {
    policy: told?.settings?.policy === 'open' ? 'open' : 'closed',
    release: (outcome) => {
      const failure = outcome === 'detach' ? pins.remove() : undefined;
      if (failure !== undefined) onProblem(failure);
    },
  };
  const path = folder.startsWith(`${tree.mountPath}/`) ? folder.slice(tree.mountPath.length) : folder;
  return [{ cgroupPath: join('/', path), remains }];
}
