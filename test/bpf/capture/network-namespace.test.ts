import { closeSync, fstatSync } from 'node:fs';
import t from 'tap';
import { inNamespace, listsIstioSource6, openOwnNamespace } from '../../../bpf/capture/network-namespace.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { BpfRig } from '../../support/bpf-rig.ts';

const loopback = '00000000000000000000000000000001 01 80 10 80       lo\n';
const near = '00000000000000000000000000000061 01 80 10 80       lo\n00000000000000000000000000000006a 01 80 10 80 x\n';
const source = '00000000000000000000000000000006 01 80 10 80       lo\n';

t.test('::6 is found among the addresses of a namespace, and nothing that resembles it', async (t) => {
  t.equal(listsIstioSource6(loopback + source), true);
  t.equal(listsIstioSource6(loopback + near), false);
  t.equal(listsIstioSource6(''), false, 'a namespace without IPv6');
});

const skip = bpfSkipReason('root', 'cgroup2', 'namespaces') ?? false;

t.test('this thread comes back, also from what fails in another namespace', { skip }, async (t) => {
  const { netnsFd } = await BpfRig.open(t);
  const here = () => {
    const fd = openOwnNamespace();
    const { ino } = fstatSync(fd);
    closeSync(fd);
    return ino;
  };
  const before = here();
  t.equal(inNamespace(netnsFd, here), fstatSync(netnsFd).ino);
  t.equal(here(), before);
  const failing = () => {
    throw new Error('no file');
  };
  t.throws(() => inNamespace(netnsFd, failing), { message: 'no file' });
  t.equal(here(), before);
});
