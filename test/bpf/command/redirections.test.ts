import t, { type Test } from 'tap';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { load, swap, unload } from '../../../bpf/command/redirections.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { PinFolder } from '../../../bpf/loader/pin-folder.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;

t.test('redirection stays under both policies, until it is unloaded', { skip }, (t) => {
  for (const policy of ['open', 'closed'] as const) {
    const { bpffs, loading } = setUp(t, policy);
    t.match(load({ ...loading, settings: { ...defaultCaptureSettings, policy } }), { exitCode: 0, data: { policy } });
    t.same(PinFolder.names(bpffs), [policy]);
    t.match(swap(loading), { exitCode: 0, data: { programs: 5 } });
    t.same(PinFolder.names(bpffs), [policy], 'after a swap, too');
    t.match(unload(loading), { exitCode: 0 });
    t.same(PinFolder.names(bpffs), []);
  }
  t.end();
});

t.test('what the machine lacks is told before anything is attached', { skip }, (t) => {
  const { bpffs, loading } = setUp(t, 'lacking');
  const probes = {
    find: () => ({ state: 'missing' as const, detail: 'a probe said no' }),
  };
  const outcome = load({ ...loading, probes, settings: defaultCaptureSettings });
  t.match(outcome, { exitCode: 1, text: /a probe said no/ });
  t.same(PinFolder.names(bpffs), []);
  t.end();
});

t.test('a cgroup that is none, and a name that is none, are refused with the way out', { skip }, (t) => {
  const { loading } = setUp(t, 'names');
  const settings = defaultCaptureSettings;
  t.match(load({ ...loading, settings, cgroup: '/proc' }), { exitCode: 1, text: /\/proc is not a cgroup/ });
  t.match(load({ ...loading, settings, name: 'a/b' }), { exitCode: 1, text: /cannot name a folder of pins/ });
  t.match(load({ ...loading, settings, name: 'there' }), { exitCode: 0 });
  for (const command of [swap, unload]) {
    t.match(command(loading), { exitCode: 1, text: /no redirection names; name one that is: there are there/ });
  }
  t.match(unload({ ...loading, name: 'there' }), { exitCode: 0 });
  t.end();
});

function setUp(t: Test, name: string) {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const bpffs = temporaryBpffs(t);
  return {
    bpffs,
    loading: { name, bpffs, files, probes: kernelProbes(), cgroup: temporaryCgroup(t, `by-hand-${name}`) },
  };
}
