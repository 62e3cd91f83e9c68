// Loads and attaches everything once, as a sidecar does at its start, in a process that has done nothing yet. Prints how long
// it took; run in a network namespace of its own by the bpf suite, which gives it the form in which redirection ships. The
// short-circuit's self-test, which watches the kernel for a tenth of a second, is no part of it.
// Run: unshare --net node bench/load/bpf-loading.ts '{"application":"/sys/fs/cgroup/a","sidecar":"/sys/fs/cgroup/b"}'
import { closeSync, openSync } from 'node:fs';
import { openCapture } from '../../bpf/capture/capture.ts';
import { defaultCaptureSettings } from '../../bpf/capture/settings.ts';
import { openEvents } from '../../bpf/events/events.ts';
import { attach } from '../../bpf/loader/attachment.ts';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { loadObject } from '../../bpf/loader/loaded-object.ts';
import { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { AttachType } from '../../native/bpf-link.ts';

export type LoadingOptions = { readonly application: string; readonly sidecar: string };
// Redirection alone, then everything. CPU is that of the process, with V8's helpers and the kernel's part.
export type LoadingOutcome = { readonly ms: number; readonly redirectionMs: number; readonly cpuMs: number };

function load({ application, sidecar }: LoadingOptions): LoadingOutcome {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const cgroup = { kind: 'cgroup', fd: openSync(application, 'r'), name: application } as const;
  const capture = must(
    openCapture({
      mode: 'ebpf',
      settings: defaultCaptureSettings,
      targets: { cgroup: application, sidecarCgroup: sidecar },
      pins: null,
    }),
  );
  const redirectionMs = performance.now() - startedAt;
  const files = must(ObjectFiles.open());
  const shortcut = must(loadObject(files, 'shortcut', { constants: {} }));
  const members = { kind: 'map', fd: shortcut.mapFd('socks'), name: 'members' } as const;
  const attached = [
    must(attach(shortcut.programFd('or_sc_msg'), members, AttachType.skMsgVerdict)),
    must(attach(shortcut.programFd('or_sc_sockops'), cgroup, AttachType.sockOps)),
  ];
  const events = must(openEvents({ files, cgroups: [cgroup], onEvent: () => undefined, onLost: () => undefined }));
  const ms = performance.now() - startedAt;
  const cpu = process.cpuUsage(cpuBefore);
  events.close();
  for (const attachment of attached) attachment.detach();
  shortcut.close();
  capture.release('detach');
  closeSync(cgroup.fd);
  return { ms, redirectionMs, cpuMs: (cpu.user + cpu.system) / 1000 };
}

function must<Made>(made: Made | LoadFailure): Made {
  if (isFailure(made)) throw new Error(failureText(made));
  return made as Made;
}

console.log(JSON.stringify(load(JSON.parse(process.argv[2]!) as LoadingOptions)));
