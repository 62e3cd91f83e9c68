import { spawnSync } from 'node:child_process';
import t from 'tap';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import type { EventFields } from '../../../bpf/command/event-text.ts';
import { events } from '../../../bpf/command/events.ts';
import { load } from '../../../bpf/command/redirections.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { kernelProbes } from '../../../bpf/loader/probes.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';
import { onlyItems } from '../../support/only-items.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;
const noBpffs = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;
const never = new Promise(() => {});

t.test('events are told until there were enough of them', { skip }, async (t) => {
  const seen: EventFields[] = [];
  const cgroup = temporaryCgroup(t, 'told');
  const outcome = events({ files: files(), cgroup, count: 2, onEvent: (fields) => seen.push(fields), until: never });
  for (let count = 0; count < 3; count++) failToConnect(cgroup);
  t.match(await outcome, { exitCode: 0, data: { events: 2, lost: 0 } });
  t.match(seen, onlyItems({ kind: 'connect-failed', remotePort: 1 }, { kind: 'connect-failed' }));
});

t.test('with a redirection, events say where connections were headed', { skip: noBpffs }, async (t) => {
  const cgroup = temporaryCgroup(t, 'headed');
  const redirection = { name: 'headed', bpffs: temporaryBpffs(t) };
  const loaded = load({
    ...redirection,
    cgroup,
    settings: defaultCaptureSettings,
    files: files(),
    probes: kernelProbes(),
  });
  t.match(loaded, { exitCode: 0 });
  const seen: EventFields[] = [];
  const onEvent = (fields: EventFields) => seen.push(fields);
  const outcome = events({ files: files(), cgroup, redirection, count: 1, onEvent, until: never });
  failToConnect(cgroup, '192.0.2.1');
  t.match(await outcome, { exitCode: 0 });
  t.match(seen, onlyItems({ remote: '127.0.0.1', remotePort: 15001, original: '192.0.2.1', originalPort: 1 }));
});

t.test('a redirection that is not there is refused', { skip: noBpffs }, async (t) => {
  const redirection = { name: 'nobody-made-it', bpffs: temporaryBpffs(t) };
  const outcome = await events({ files: files(), cgroup: '/', redirection, count: 1, onEvent: () => {}, until: never });
  t.match(outcome, { exitCode: 1, text: /there is no redirection nobody-made-it/ });
});

t.test('it ends when it is told to', { skip }, async (t) => {
  const cgroup = temporaryCgroup(t, 'ended');
  const onEvent = () => t.fail('nobody connected');
  const outcome = await events({ files: files(), cgroup, count: 9, onEvent, until: Promise.resolve() });
  t.match(outcome, { exitCode: 0, text: '', data: { events: 0 } });
});

t.test('a cgroup that is not there is refused', { skip }, async (t) => {
  const outcome = await events({ files: files(), cgroup: '/nowhere', count: 1, onEvent: () => {}, until: never });
  t.match(outcome, { exitCode: 1, text: /cannot open the cgroup \/nowhere: ENOENT; name a folder/ });
});

function files(): ObjectFiles {
  const opened = ObjectFiles.open();
  if (isFailure(opened)) throw new Error(opened.reason);
  return opened;
}

function failToConnect(cgroup: string, address = '127.0.0.1'): void {
  const program = `require("node:net").connect(1, "${address}").on("error", () => {})`;
  spawnSync('sh', ['-c', `echo $$ > ${cgroup}/cgroup.procs && exec "$@"`, 'sh', process.execPath, '-e', program]);
}
