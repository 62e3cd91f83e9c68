// The short-circuit of a sidecar that loads programs itself: between the application and this process, both ways.

import { findTargets, type TargetPlace } from '../../bpf/capture/capture-targets.ts';
import type { CaptureSettings } from '../../bpf/capture/settings.ts';
import { isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import type { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { openShortcut, type Shortcut } from '../../bpf/shortcut/shortcut.ts';

/** Blocks for some 100 ms, in which the kernel is tried out. A failure says what it found. */
export function openOwnShortcut(settings: CaptureSettings, files: ObjectFiles): Shortcut | LoadFailure {
  const targets = findTargets(settings, { netnsFd: null });
  if (isFailure(targets)) return targets;
  const { application, proxy } = targets.places;
  const { accept, ports } = settings.shortcut;
  const opened = openShortcut({
    files,
    ports: [settings.outbound.port, ...ports],
    cgroups: bothEnds(application!, proxy),
    accept,
  });
  targets.close();
  return opened;
}

/** The program of a cgroup runs for what is below it, too, and must not run twice for one socket. */
function bothEnds(application: TargetPlace, proxy: TargetPlace | undefined): readonly TargetPlace[] {
  if (proxy === undefined || proxy.name === application.name) return [application];
  if (proxy.name.startsWith(`${application.name}/`)) return [application];
  if (application.name.startsWith(`${proxy.name}/`)) return [proxy];
  return [application, proxy];
}
