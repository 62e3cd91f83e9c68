// What a sockmap does to connections when nothing is done against it, asserted as what the kernel does: when one of these
// fails, the kernel has mended it, and a protection in bpf/programs/shortcut.bpf.c or bpf/shortcut/ may go.

import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildPrograms, SHIPPED_BUILD } from '../../../build/bpf-programs.ts';
import { AttachType, createLink } from '../../../native/bpf-link.ts';
import { BpfMap } from '../../../native/bpf-map.ts';
import { BpfObject } from '../../../native/bpf-object.ts';
import { Errno } from '../../../native/errno.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, peek, receive, send } from '../../../native/socket.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { connectedPair } from '../../support/socket-pair.ts';

const skip = bpfSkipReason('root', 'libbpf', 'clang') ?? false;
const unguarded = skip === false ? compile() : Buffer.alloc(0);
const buffer = new NativeBuffer(64 * 1024);

t.test('bytes of a socket that enters late are overtaken', { skip }, (t) => {
  const { writer, reader, members } = openUnguarded(t);
  write(writer, 'first ');
  enter(members, 0, writer);
  enter(members, 1, reader);
  write(writer, 'second ');
  t.equal(readAll(reader), 'second first ');
  t.end();
});

t.test('bytes that are queued at a member go when its key is deleted', { skip }, (t) => {
  const { writer, reader, members } = openUnguarded(t);
  enter(members, 0, writer);
  enter(members, 1, reader);
  write(writer, 'queued');
  t.equal(members.delete(index(1)), 0);
  t.equal(readAll(reader), '');
  t.end();
});

t.test('a writer is never held up', { skip }, (t) => {
  const { writer, reader, members } = openUnguarded(t);
  enter(members, 0, writer);
  enter(members, 1, reader);
  const pages = tcpMemoryPages();
  let taken = 0;
  const most = 48 << 20;
  while (taken < most) {
    const result = send(writer, buffer, 0, buffer.length);
    if (result < 0) break;
    taken += result;
  }
  t.ok(taken >= most, `${taken} bytes were taken, none of them was read`);
  t.ok(tcpMemoryPages() - pages > most / 4096 / 2, `TCP memory grew by ${tcpMemoryPages() - pages} pages`);
  t.end();
});

t.test('a write after the peer closed with unread bytes succeeds once', { skip }, (t) => {
  const { writer, reader, members } = openUnguarded(t);
  enter(members, 0, writer);
  enter(members, 1, reader);
  write(writer, 'unread');
  close(reader);
  t.equal(receive(writer, buffer, 0, 10), 0, 'an end in good order, where TCP would reset');
  t.equal(write(writer, 'more'), 4);
  t.equal(write(writer, 'more'), -Errno.EPIPE);
  t.end();
});

t.test('bytes can be peeked at, as with TCP', { skip }, (t) => {
  const { writer, reader, members } = openUnguarded(t);
  enter(members, 0, writer);
  enter(members, 1, reader);
  write(writer, 'peeked');
  t.equal(peek(reader, buffer, 0, 3), 3);
  t.equal(readAll(reader), 'peeked');
  t.end();
});

interface Unguarded {
  readonly writer: number;
  readonly reader: number;
  /** Key 0 has the verdict, key 1 gets what it redirects. */
  readonly members: BpfMap;
}

/** A connection whose ends are no members yet. */
function openUnguarded(t: Test): Unguarded {
  const object = BpfObject.open(unguarded, 'unguarded') as BpfObject;
  t.equal(object.load().errno, 0);
  const mapFd = object.mapFd('members');
  const link = createLink(object.programFd('redirect'), mapFd, AttachType.skMsgVerdict);
  t.ok(link >= 0);
  const [writer, reader] = connectedPair();
  t.teardown(() => {
    for (const fd of [writer, reader, link]) close(fd);
    object.close();
  });
  return { writer, reader, members: new BpfMap(mapFd, 4, 8) };
}

function compile(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-unguarded-'));
  try {
    copyFileSync(join(SHIPPED_BUILD.programs, 'kernel.h'), join(folder, 'kernel.h'));
    copyFileSync(join(import.meta.dirname, 'unguarded.bpf.c'), join(folder, 'unguarded.bpf.c'));
    buildPrograms({ ...SHIPPED_BUILD, programs: folder, out: folder });
    return readFileSync(join(folder, 'unguarded.bpf.o'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function enter(members: BpfMap, key: number, fd: number): void {
  const result = members.update(index(key), new Uint8Array(BigUint64Array.of(BigInt(fd)).buffer));
  if (result < 0) throw new Error(`no member: errno ${-result}`);
}

function index(key: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(key).buffer);
}

function write(fd: number, text: string): number {
  return send(fd, buffer, 0, buffer.bytes.write(text));
}

function readAll(fd: number): string {
  let text = '';
  for (let result = 1; result > 0; ) {
    result = receive(fd, buffer, 0, buffer.length);
    if (result > 0) text += buffer.bytes.toString('latin1', 0, result);
  }
  return text;
}

function tcpMemoryPages(): number {
  return Number(readFileSync('/proc/net/sockstat', 'utf8').match(/^TCP:.* mem (\d+)$/m)![1]);
}
