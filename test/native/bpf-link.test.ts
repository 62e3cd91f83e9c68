import { closeSync, mkdirSync, openSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LinkType, linkInfo, programInfo } from '../../native/bpf-info.ts';
import {
  AttachType,
  attachedPrograms,
  attachProgram,
  createLink,
  detachLink,
  detachProgram,
  openPinned,
  pin,
  updateLink,
} from '../../native/bpf-link.ts';
import { createMap, MapType } from '../../native/bpf-map.ts';
import { Errno } from '../../native/errno.ts';
import { close, duplicate } from '../../native/socket.ts';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../support/bpf-environment.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';
import { compiled, loadedObject, openedObject } from '../support/tiny-object.ts';

const canAttach = { skip: bpfSkipReason('root', 'cgroup2', 'libbpf', 'clang') ?? false };
const canPin = { skip: bpfSkipReason('root', 'cgroup2', 'libbpf', 'clang', 'bpffs') ?? false };

/** A verdict of messages, for sockmaps. */
const MESSAGE_SOURCE = `
__attribute__((section("sk_msg"), used)) int tn_message(void *ctx) { return 1; }
char _license[] __attribute__((section("license"), used)) = "Dual BSD/GPL";
`;

t.test('a link tells what is attached where, and is closed on exec', canAttach, (t) => {
  const { cgroupFd, path } = cgroupFor(t);
  const program = loadedObject(t).programFd('tn_connect4');
  const link = owned(t, createLink(program, cgroupFd, AttachType.inet4Connect));
  t.ok(isClosedOnExec(link));
  const { id } = infoOf(program);
  t.match(linkInfo(link), {
    type: LinkType.cgroup,
    programId: id,
    attachType: AttachType.inet4Connect,
    cgroupId: statSync(path, { bigint: true }).ino,
  });
  t.same(attachedPrograms(cgroupFd, AttachType.inet4Connect), [id]);
  t.same(attachedPrograms(cgroupFd, AttachType.inet6Connect), []);
  t.end();
});

t.test('programs at one place run in the order in which they were attached', canAttach, (t) => {
  const { cgroupFd } = cgroupFor(t);
  const programs = Array.from({ length: 3 }, () => loadedObject(t).programFd('tn_connect4'));
  for (const program of programs) owned(t, createLink(program, cgroupFd, AttachType.inet4Connect));
  t.same(
    attachedPrograms(cgroupFd, AttachType.inet4Connect),
    programs.map((program) => infoOf(program).id),
  );
  t.end();
});

t.test('a link goes on with another program', canAttach, (t) => {
  const { cgroupFd } = cgroupFor(t);
  const object = loadedObject(t);
  const heir = loadedObject(t).programFd('tn_connect4');
  const link = owned(t, createLink(object.programFd('tn_connect4'), cgroupFd, AttachType.inet4Connect));
  t.equal(updateLink(link, object.programFd('tn_lookup')), -Errno.EINVAL, 'not with one for another place');
  t.equal(updateLink(link, heir), 0);
  t.same(attachedPrograms(cgroupFd, AttachType.inet4Connect), [infoOf(heir).id]);
  t.end();
});

t.test('what is attached outlives its object, and ends with its last descriptor', canAttach, (t) => {
  const { cgroupFd } = cgroupFor(t);
  const object = loadedObject(t);
  const link = createLink(object.programFd('tn_connect4'), cgroupFd, AttachType.inet4Connect);
  const second = duplicate(link);
  object.close();
  close(link);
  t.equal((attachedPrograms(cgroupFd, AttachType.inet4Connect) as number[]).length, 1);
  close(second);
  t.same(attachedPrograms(cgroupFd, AttachType.inet4Connect), []);
  t.end();
});

t.test('detaching leaves the descriptor, which is attached to nothing', canAttach, (t) => {
  const { cgroupFd } = cgroupFor(t);
  const object = loadedObject(t);
  const link = owned(t, createLink(object.programFd('tn_connect4'), cgroupFd, AttachType.inet4Connect));
  t.equal(detachLink(link), 0);
  t.same(attachedPrograms(cgroupFd, AttachType.inet4Connect), []);
  t.match(linkInfo(link), { cgroupId: 0n });
  t.equal(detachLink(link), 0, 'twice is harmless');
  t.equal(updateLink(link, object.programFd('tn_connect4')), -Errno.ENOLINK);
  t.end();
});

t.test('a cgroup that was removed takes nothing more, and what was attached is closed as ever', canAttach, (t) => {
  const path = join(temporaryCgroup(t, 'outer'), 'inner');
  mkdirSync(path);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  const program = loadedObject(t).programFd('tn_connect4');
  const link = createLink(program, fd, AttachType.inet4Connect);
  rmdirSync(path);
  t.equal(createLink(program, fd, AttachType.inet4Connect), -Errno.ENOENT);
  t.equal(close(link), 0);
  t.end();
});

t.test('what cannot be attached is a negated errno, and leaves no descriptor', canAttach, (t) => {
  const { cgroupFd } = cgroupFor(t);
  const object = loadedObject(t);
  const program = object.programFd('tn_connect4');
  const before = openDescriptors();
  t.equal(createLink(program, cgroupFd, AttachType.inet6Connect), -Errno.EINVAL, 'loaded for another place');
  t.equal(createLink(program, program, AttachType.inet4Connect), -Errno.EBADF, 'no cgroup');
  t.equal(createLink(object.mapFd('counters'), cgroupFd, AttachType.inet4Connect), -Errno.EINVAL, 'no program');
  t.equal(createLink(-1, cgroupFd, AttachType.inet4Connect), -Errno.EBADF);
  t.equal(createLink(program, -1, AttachType.inet4Connect), -Errno.EBADF);
  t.equal(updateLink(program, program), -Errno.EINVAL);
  t.equal(detachLink(-1), -Errno.EBADF);
  t.equal(attachedPrograms(-1, AttachType.inet4Connect), -Errno.EBADF);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('without a link, a program is attached to a map until it is detached', canAttach, (t) => {
  const map = owned(
    t,
    createMap({ type: MapType.sockHash, keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0, name: 'socks' }),
  );
  const object = openedObject(t, compiled(MESSAGE_SOURCE));
  t.equal(object.load().errno, 0);
  const program = object.programFd('tn_message');
  t.equal(attachProgram(program, map, AttachType.skMsgVerdict), 0);
  t.same(attachedPrograms(map, AttachType.skMsgVerdict), [infoOf(program).id]);
  t.equal(detachProgram(program, map, AttachType.skMsgVerdict), 0);
  t.same(attachedPrograms(map, AttachType.skMsgVerdict), []);
  t.equal(detachProgram(program, map, AttachType.skMsgVerdict), -Errno.ENOENT);
  t.end();
});

t.test('what is pinned stays when the last descriptor is closed, until the pin is removed', canPin, (t) => {
  const folder = temporaryBpffs(t);
  const { cgroupFd } = cgroupFor(t);
  const object = loadedObject(t);
  const program = object.programFd('tn_connect4');
  const { id } = infoOf(program);
  const link = createLink(program, cgroupFd, AttachType.inet4Connect);
  const path = join(folder, 'link');
  t.equal(pin(link, path), 0);
  t.equal(pin(link, path), -Errno.EEXIST);
  close(link);
  object.close();
  const again = owned(t, openPinned(path));
  t.ok(isClosedOnExec(again));
  t.match(linkInfo(again), { programId: id });
  t.equal(detachLink(again), 0, 'a pin does not keep it from being detached');
  t.same(attachedPrograms(cgroupFd, AttachType.inet4Connect), []);
  t.end();
});

t.test('programs and maps are pinned as well', canPin, (t) => {
  const folder = temporaryBpffs(t);
  const object = loadedObject(t);
  for (const fd of [object.programFd('tn_lookup'), object.mapFd('counters')]) {
    const path = join(folder, `of-${fd}`);
    t.equal(pin(fd, path), 0);
    t.ok(owned(t, openPinned(path)) >= 0);
  }
  t.end();
});

t.test('a path that cannot hold a pin is a negated errno', canPin, (t) => {
  const folder = temporaryBpffs(t);
  const map = loadedObject(t).mapFd('counters');
  t.equal(pin(map, join(folder, 'missing', 'map')), -Errno.ENOENT);
  t.equal(pin(map, t.testdir({})), -Errno.EEXIST);
  t.equal(pin(map, join(t.testdir({}), 'map')), -Errno.EPERM, 'no bpf file system');
  t.equal(pin(map, join(folder, 'a.b')), -Errno.EPERM, 'dots are the kernel’s own');
  t.equal(pin(map, join(folder, 'a\0b')), -Errno.EINVAL);
  t.equal(openPinned(join(folder, 'a\0b')), -Errno.EINVAL);
  t.equal(openPinned(join(folder, 'a')), -Errno.ENOENT);
  t.equal(openPinned(import.meta.filename), -Errno.EACCES, 'a file that is no pin');
  t.end();
});

function cgroupFor(t: Test): { cgroupFd: number; path: string } {
  const path = temporaryCgroup(t, 'link');
  const cgroupFd = openSync(path, 'r');
  t.teardown(() => closeSync(cgroupFd));
  return { cgroupFd, path };
}

function infoOf(program: number): { id: number } {
  const info = programInfo(program);
  if (typeof info === 'number') throw new Error(`no information of ${program}: ${info}`);
  return info;
}

function owned(t: Test, fd: number): number {
  if (fd < 0) throw new Error(`no descriptor: ${fd}`);
  t.teardown(() => close(fd));
  return fd;
}
