// `load`, `unload` and `swap`: redirection that is put in place by a person and stays, pinned under a name.

import { closeSync } from 'node:fs';
import { linkInfo } from '../../native/bpf-info.ts';
import { openEbpfCapture } from '../capture/ebpf-capture.ts';
import { missingFeature } from '../capture/ebpf-needs.ts';
import { closeHeld } from '../capture/held-capture.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { PinFolder } from '../loader/pin-folder.ts';
import type { Probes } from '../loader/probes.ts';
import { openNamespace } from './network-namespaces.ts';
import { failed, type Outcome } from './outcome.ts';

export interface Redirecting {
  readonly name: string;
  readonly bpffs?: string | undefined;
  readonly files: ObjectFiles;
  readonly probes: Probes;
}

export interface Loading extends Redirecting {
  readonly settings: CaptureSettings;
  readonly cgroup: string;
  readonly proxyCgroup?: string | undefined;
}

export function load(loading: Loading): Outcome {
  const { name, settings, cgroup, proxyCgroup = null, files, probes } = loading;
  const pins = PinFolder.at(loading);
  if (isFailure(pins)) return failed(pins);
  if (pins.exists()) {
    const wayOut = `\`outrigger bpf swap --name ${name}\` replaces its programs, \`unload\` takes it away`;
    return failed({ reason: `there is a redirection ${name} already`, wayOut });
  }
  const targets = { cgroup, sidecarCgroup: proxyCgroup, netnsFd: null };
  const missing = missingFeature(settings, targets, probes);
  if (missing !== undefined) return failed(missing);
  const capture = openEbpfCapture({ settings, targets, pins, pinsAlways: true, inherited: [], files, probes });
  if (isFailure(capture)) return failed(capture);
  const failure = capture.release('stay');
  if (failure !== undefined) return failed(failure);
  const { port } = settings.outbound;
  return {
    text:
      `outgoing connections of ${cgroup} go to port ${port}, policy ${settings.policy}\n` +
      `pinned at ${pins.path}; \`outrigger bpf unload --name ${name}\` takes it away\n`,
    data: { name, cgroup, port, policy: settings.policy, pinnedAt: pins.path },
    exitCode: 0,
  };
}

export function unload({ name, bpffs }: Pick<Redirecting, 'name' | 'bpffs'>): Outcome {
  const pins = PinFolder.at({ name, bpffs });
  if (isFailure(pins)) return failed(pins);
  if (!pins.exists()) return failed(unknownName(name, bpffs));
  const failure = pins.remove();
  if (failure !== undefined) return failed(failure);
  return {
    text: `${name} is unloaded: what a process still holds of it goes with that process\n`,
    data: { name, unloaded: true },
    exitCode: 0,
  };
}

/** Programs of these objects take the places of those that run; maps, and with them connections, stay. */
export function swap({ name, bpffs, files, probes }: Redirecting): Outcome {
  const pins = PinFolder.at({ name, bpffs });
  if (isFailure(pins)) return failed(pins);
  if (!pins.exists()) return failed(unknownName(name, bpffs));
  const made = madeBy(pins);
  if (isFailure(made)) return failed(made);
  const { settings, cgroup, sidecarCgroup, namespace } = made;
  const netnsFd = namespace === undefined ? null : openNamespace(namespace);
  if (isFailure(netnsFd)) return failed(netnsFd);
  const targets = { cgroup, sidecarCgroup, netnsFd };
  const capture = openEbpfCapture({ settings, targets, pins, pinsAlways: true, inherited: [], files, probes });
  if (netnsFd !== null) closeSync(netnsFd);
  if (isFailure(capture)) return failed(capture);
  const programs = capture.descriptors().filter(({ name }) => name.startsWith('capture-link:')).length;
  const failure = capture.release('stay');
  if (failure !== undefined) return failed(failure);
  return {
    text: `${name}: ${programs} programs replaced, with the maps and the settings that were there\n`,
    data: { name, programs },
    exitCode: 0,
  };
}

interface Made {
  readonly settings: CaptureSettings;
  readonly cgroup: string | undefined;
  readonly sidecarCgroup: string | null | undefined;
  /** Inode of the network namespace whose incoming connections are redirected. */
  readonly namespace: number | undefined;
}

/** What was pinned is trusted as far as its folder is: PinFolder looks at whose it is. */
function madeBy(pins: PinFolder): Made | LoadFailure {
  const pinned = pins.read();
  if (isFailure(pinned)) return pinned;
  const { settings, cgroup, sidecarCgroup } = pinned.settings as Omit<Made, 'namespace'>;
  const link = pinned.links.get('or_lookup');
  const info = link === undefined ? undefined : linkInfo(link);
  closeHeld(pinned);
  return { settings, cgroup, sidecarCgroup, namespace: typeof info === 'object' ? info.netnsInode : undefined };
}

function unknownName(name: string, bpffs: string | undefined): LoadFailure {
  const names = PinFolder.names(bpffs);
  const known = isFailure(names) || names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`;
  return { reason: `there is no redirection ${name}`, wayOut: `name one that is: ${known}` };
}
