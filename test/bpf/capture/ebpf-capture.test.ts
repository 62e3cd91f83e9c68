import t from 'tap';
import { openEbpfCapture } from '../../../bpf/capture/ebpf-capture.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { ebpfCases } from './ebpf-cases.ts';
import { inboundCases } from './inbound-cases.ts';
import { outboundCases } from './outbound-cases.ts';
import { RedirectedPod, type WayToCapture } from './redirected-pod.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'namespaces') ?? false;

const probes = kernelProbes();

const ebpf: WayToCapture = {
  name: 'eBPF',
  open: (settings, targets) => {
    const files = ObjectFiles.open();
    if (isFailure(files)) return files;
    return openEbpfCapture({ settings, targets, pins: null, inherited: [], files, probes });
  },
};

t.test('capture by eBPF', { skip }, async (t) => {
  const pod = await RedirectedPod.open(t);
  for (const { name, run } of [...outboundCases, ...inboundCases, ...ebpfCases])
    await t.test(name, (t) => run(t, pod, ebpf));
});
