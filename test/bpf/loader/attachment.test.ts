import { closeSync, existsSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Attachment, type AttachTarget, attach, attachedAt } from '../../../bpf/loader/attachment.ts';
import { type LinkInfo, linkInfo } from '../../../native/bpf-info.ts';
import { AttachType, attachProgram, detachProgram, openPinned } from '../../../native/bpf-link.ts';
import { createMap, MapType } from '../../../native/bpf-map.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { shippedObject, succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'objects', 'cgroup2', 'bpffs') ?? false;

function cgroupTarget(t: Test, name: string): AttachTarget {
  const path = temporaryCgroup(t, name);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return { kind: 'cgroup', fd, name: path };
}

t.test('a program is at its place until it is detached, and others beside it stay', { skip }, (t) => {
  const cgroup = cgroupTarget(t, 'beside');
  const [first, second] = [shippedObject(t, 'outbound'), shippedObject(t, 'outbound')];
  const before = openDescriptors();
  const one = succeeded(attach(first.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  const two = succeeded(attach(second.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  t.same(
    attachedAt(cgroup, AttachType.inet4Connect).map(({ name }) => name),
    ['or_connect4', 'or_connect4'],
  );
  t.same(attachedAt(cgroup, AttachType.inet6Connect), []);
  t.equal(one.detach(), undefined);
  t.equal(attachedAt(cgroup, AttachType.inet4Connect).length, 1);
  two.close();
  t.same(attachedAt(cgroup, AttachType.inet4Connect), [], 'what is not pinned goes with its last descriptor');
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('one that was closed leaves alone who has its number now', { skip }, (t) => {
  const cgroup = cgroupTarget(t, 'closed');
  const object = shippedObject(t, 'outbound');
  const program = object.programFd('or_connect4');
  const attachment = succeeded(attach(program, cgroup, AttachType.inet4Connect));
  const number = attachment.linkFd;
  attachment.close();
  const heir = succeeded(attach(program, cgroup, AttachType.inet4Connect));
  t.equal(heir.linkFd, number, 'the kernel gives the number away at once');
  attachment.close();
  t.match(attachment.update(program), { reason: /not an open file descriptor/ });
  t.match(attachment.detach(), { reason: /not an open file descriptor/ });
  t.equal(attachedAt(cgroup, AttachType.inet4Connect).length, 1);
  t.equal(heir.detach(), undefined);
  t.end();
});

t.test('another program takes the place, by the same link', { skip }, (t) => {
  const cgroup = cgroupTarget(t, 'update');
  const [first, second] = [shippedObject(t, 'outbound'), shippedObject(t, 'outbound')];
  const attachment = succeeded(attach(first.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  const [before] = attachedAt(cgroup, AttachType.inet4Connect);
  t.equal(attachment.update(second.programFd('or_connect4')), undefined);
  const [after] = attachedAt(cgroup, AttachType.inet4Connect);
  t.not(before!.id, after!.id);
  t.match(attachment.update(second.programFd('or_sockops')), { reason: /^cannot replace the program at .*update: / });
  t.same(attachedAt(cgroup, AttachType.inet4Connect), [after], 'a refused one changes nothing');
  t.equal(attachment.detach(), undefined);
  t.end();
});

t.test('a pinned attachment outlives its descriptors', { skip }, (t) => {
  const cgroup = cgroupTarget(t, 'pinned');
  const bpffs = temporaryBpffs(t);
  const path = join(bpffs, 'or_connect4');
  const object = shippedObject(t, 'outbound');
  const attachment = succeeded(attach(object.programFd('or_connect4'), cgroup, AttachType.inet4Connect));
  t.equal(attachment.pin(path), undefined);
  t.match(attachment.pin(path), { reason: /^cannot pin the link at .* file exists/ });
  attachment.close();
  t.equal(attachedAt(cgroup, AttachType.inet4Connect).length, 1);
  const again = succeeded(Attachment.ofLink(openPinned(path), path));
  t.equal(again.attachType, AttachType.inet4Connect);
  t.equal(again.detach(), undefined);
  t.same(attachedAt(cgroup, AttachType.inet4Connect), [], 'detached though the pin is still there');
  t.ok(existsSync(path));
  t.end();
});

t.test('when the cgroup is gone there is nothing to detach', { skip }, (t) => {
  let attachment: Attachment | undefined;
  const object = shippedObject(t, 'outbound');
  t.test('with a cgroup', (t) => {
    attachment = succeeded(attach(object.programFd('or_connect4'), cgroupTarget(t, 'gone'), AttachType.inet4Connect));
    t.end();
  });
  t.test('without it', (t) => {
    t.equal(attachment!.detach(), undefined);
    t.end();
  });
  t.end();
});

t.test('a place that another program has for itself is told with who has it', { skip }, (t) => {
  const above = cgroupTarget(t, 'exclusive');
  const path = join(above.name, 'below');
  mkdirSync(path);
  const fd = openSync(path, 'r');
  t.teardown(() => {
    closeSync(fd);
    rmdirSync(path);
  });
  const program = shippedObject(t, 'outbound').programFd('or_connect4');
  t.equal(attachProgram(program, above.fd, AttachType.inet4Connect), 0);
  const { id } = attachedAt(above, AttachType.inet4Connect)[0]!;
  t.match(attach(program, above, AttachType.inet4Connect), {
    reason: `cannot attach or_connect4 to ${above.name}: or_connect4 (program ${id}) at the same cgroup was attached so that there is no other`,
    wayOut: /BPF_F_ALLOW_MULTI/,
  });
  t.match(attach(program, { kind: 'cgroup', fd, name: path }, AttachType.inet4Connect), {
    reason: `cannot attach or_connect4 to ${path}: a program at a cgroup above it was attached so that there is no other`,
  });
  t.equal(detachProgram(program, above.fd, AttachType.inet4Connect), 0);
  t.end();
});

t.test('a listener’s choice is attached to a network namespace', { skip }, (t) => {
  const fd = openSync('/proc/self/ns/net', 'r');
  t.teardown(() => closeSync(fd));
  const object = shippedObject(t, 'inbound', { constants: { fail_open: 1 } });
  const target: AttachTarget = { kind: 'netns', fd, name: 'this namespace' };
  const attachment = succeeded(attach(object.programFd('or_lookup'), target, AttachType.skLookup));
  const info = linkInfo(attachment.linkFd!) as LinkInfo;
  t.ok(info.netnsInode! > 0);
  t.equal(attachment.detach(), undefined);
  t.end();
});

t.test('a map of sockets takes a link, or the program itself where the kernel has no such links', { skip }, (t) => {
  const object = shippedObject(t, 'shortcut');
  const fd = createMap({
    type: MapType.sockHash,
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 1,
    flags: 0,
    name: 'or_test',
  });
  t.teardown(() => close(fd));
  for (const hasLinks of [undefined, false]) {
    const before = openDescriptors();
    const target: AttachTarget = { kind: 'map', fd, name: 'a map', hasLinks };
    const attachment = succeeded(attach(object.programFd('or_sc_msg'), target, AttachType.skMsgVerdict));
    t.same(
      attachedAt(target, AttachType.skMsgVerdict).map(({ name }) => name),
      ['or_sc_msg'],
    );
    t.equal(attachment.update(object.programFd('or_sc_msg')), undefined);
    if (hasLinks === false) t.match(attachment.pin('/nowhere'), { reason: /this kernel has no links for maps/ });
    t.equal(attachment.detach(), undefined);
    t.same(attachedAt(target, AttachType.skMsgVerdict), []);
    t.equal(openDescriptors(), before);
  }
  t.end();
});
