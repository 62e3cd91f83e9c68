import t from 'tap';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { LoopbackListener } from '../../../bpf/shortcut/loopback-pair.ts';
import { findHazards, type HazardFinding } from '../../../bpf/shortcut/self-test.ts';
import { openShortcut, type Shortcut } from '../../../bpf/shortcut/shortcut.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;

t.test('plain TCP has none of the hazards', (t) => {
  const listener = LoopbackListener.open() as LoopbackListener;
  const options = { listener, burstLimitBytes: 64 * 1024, clock: () => performance.now() };
  t.same(findHazards(options), []);
  listener.close();
  t.end();
});

// A kernel that mends one of them is noticed here: the short-circuit then needs one acceptance less.
t.test('this kernel has those that are known, and each says who suffers', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'hazards');
  const shortcut = openShortcut({
    files: ObjectFiles.open() as ObjectFiles,
    ports: [],
    cgroups: [cgroup],
    accept: ['fionread', 'blocking-recv', 'splice'],
  }) as Shortcut;
  t.same(
    shortcut.findings.map(({ hazard }) => hazard),
    ['fionread', 'splice', 'blocking-recv'],
  );
  t.match(findingOf(shortcut, 'fionread'), {
    observed: /^FIONREAD told 0 while 65536 bytes that came by TCP/,
    breaks: /nginx/,
  });
  t.match(findingOf(shortcut, 'splice'), { observed: /did not see 5 bytes/, breaks: /HAProxy/ });
  t.match(findingOf(shortcut, 'blocking-recv'), { observed: /ended after \d+ ms \(EAGAIN\)/, breaks: /Python/ });
  t.equal(shortcut.close(), undefined);
  t.end();
});

function findingOf(shortcut: Shortcut, hazard: string): HazardFinding | undefined {
  return shortcut.findings.find((finding) => finding.hazard === hazard);
}
