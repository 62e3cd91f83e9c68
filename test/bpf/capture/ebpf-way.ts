// Capture by the programs that ship, on this kernel.

import { openEbpfCapture } from '../../../bpf/capture/ebpf-capture.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import type { WayToCapture } from './redirected-pod.ts';

const probes = kernelProbes();

export const ebpf: WayToCapture = {
  name: 'eBPF',
  open: (settings, targets) => {
    const files = ObjectFiles.open();
    if (isFailure(files)) return files;
    return openEbpfCapture({ settings, targets, pins: null, inherited: [], files, probes });
  },
};
