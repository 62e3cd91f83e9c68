import t, { type Test } from 'tap';
import {
  linkById,
  linkInfo,
  mapById,
  mapInfo,
  nextLinkId,
  nextProgramId,
  type ProgramInfo,
  programById,
  programInfo,
} from '../../native/bpf-info.ts';
import { ProgramType } from '../../native/bpf-program.ts';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { isClosedOnExec, openDescriptors } from '../support/open-descriptors.ts';
import { loadedObject } from '../support/tiny-object.ts';

const canLoad = { skip: bpfSkipReason('root', 'libbpf', 'clang') ?? false };

t.test('a program tells what it is, and which maps it uses', canLoad, (t) => {
  const object = loadedObject(t);
  const info = infoOf(object.programFd('tn_connect4'));
  t.match(info, { name: 'tn_connect4', type: ProgramType.cgroupSockAddr, createdByUid: process.getuid!() });
  t.match(info.tag, /^[0-9a-f]{16}$/);
  t.ok(info.xlatedBytes >= 8 * 8, 'some instructions');
  t.ok(info.loadTimeNs > 0 && info.loadTimeNs <= Number(process.hrtime.bigint()) + 60e9);
  const used = ['counters', '.rodata'].map((name) => idOf(mapInfo(object.mapFd(name))));
  t.same(
    [...info.mapIds].sort((one, other) => one - other),
    used,
  );
  t.end();
});

t.test('the same instructions have the same tag, others have another', canLoad, (t) => {
  const [one, other] = [loadedObject(t), loadedObject(t)];
  const tagOf = (fd: number) => infoOf(fd).tag;
  t.equal(tagOf(one.programFd('tn_lookup')), tagOf(other.programFd('tn_lookup')));
  t.not(tagOf(one.programFd('tn_lookup')), tagOf(one.programFd('tn_connect4')));
  t.end();
});

t.test('a descriptor is only read as what it is', canLoad, (t) => {
  const object = loadedObject(t);
  const [program, map] = [object.programFd('tn_lookup'), object.mapFd('counters')];
  t.equal(programInfo(map), -Errno.EINVAL);
  t.equal(linkInfo(map), -Errno.EINVAL);
  t.equal(mapInfo(program), -Errno.EINVAL);
  t.equal(linkInfo(program), -Errno.EINVAL);
  for (const info of [programInfo, mapInfo, linkInfo]) {
    t.equal(info(0), -Errno.EINVAL, 'standard input');
    t.equal(info(-1), -Errno.EBADF);
    t.equal(info(1e9), -Errno.EBADF);
  }
  t.end();
});

t.test('programs and maps are found by id, under descriptors of their own', canLoad, (t) => {
  const object = loadedObject(t);
  const [program, map] = [object.programFd('tn_lookup'), object.mapFd('counters')];
  const before = openDescriptors();
  const [programAgain, mapAgain] = [programById(infoOf(program).id), mapById(idOf(mapInfo(map)))];
  t.same(programInfo(programAgain), programInfo(program));
  t.same(mapInfo(mapAgain), mapInfo(map));
  t.ok(isClosedOnExec(programAgain) && isClosedOnExec(mapAgain));
  for (const fd of [programAgain, mapAgain]) close(fd);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('ids are walked upwards to their end', canLoad, (t) => {
  const own = infoOf(loadedObject(t).programFd('tn_lookup')).id;
  const walked = idsBy(nextProgramId);
  t.ok(walked.includes(own));
  t.same(
    walked,
    walked.toSorted((one, other) => one - other),
  );
  t.equal(idsBy(nextLinkId).includes(0), false);
  t.end();
});

t.test('what is gone has no descriptor', canLoad, (t) => {
  const object = loadedObject(t);
  const { id } = infoOf(object.programFd('tn_lookup'));
  const before = openDescriptors();
  t.equal(linkById(0xffff_fff0), -Errno.ENOENT);
  t.equal(mapById(0xffff_fff0), -Errno.ENOENT);
  object.close();
  t.ok(openDescriptors() < before);
  waitForProgramToGo(t, id);
  t.end();
});

/** The kernel takes ids back when nothing runs the program any more, which is soon and not at once. */
function waitForProgramToGo(t: Test, id: number): void {
  const deadline = Date.now() + 5000;
  let fd = programById(id);
  while (fd >= 0 && Date.now() < deadline) {
    close(fd);
    fd = programById(id);
  }
  t.equal(fd, -Errno.ENOENT);
}

function infoOf(fd: number): ProgramInfo {
  const info = programInfo(fd);
  if (typeof info === 'number') throw new Error(`no information: ${info}`);
  return info;
}

function idOf(info: { id: number } | number): number {
  return typeof info === 'number' ? info : info.id;
}

function idsBy(next: (id: number) => number): number[] {
  const ids: number[] = [];
  for (let id = next(0); id > 0; id = next(id)) ids.push(id);
  return ids;
}
