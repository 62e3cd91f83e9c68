import { closeSync, openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { identifyPeer } from '../../../bpf/agent/peer-identity.ts';
import { CgroupTree } from '../../../bpf/cgroup/cgroup-tree.ts';
import { fileLimit, setSoftFileLimit } from '../../../native/file-limit.ts';
import { close } from '../../../native/socket.ts';
import { unixSocketPair } from '../../../native/unix-message.ts';
import { bpfSkipReason, cgroupRoot } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';

const needsTree = { skip: bpfSkipReason('cgroup2') ?? false };

t.test('a peer is known by its process, and given up without a trace', needsTree, (t) => {
  const before = openDescriptors();
  const [one, other] = unixSocketPair() as [number, number];
  const peer = identifyPeer(one, treeHere());
  if (typeof peer === 'string') throw new Error(peer);
  t.equal(peer.processId, process.pid);
  t.equal(peer.uid, process.geteuid!());
  peer.close();
  close(one);
  close(other);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('where descriptors run out on the way, the peer is turned away and none is left open', needsTree, (t) => {
  const [one, other] = unixSocketPair() as [number, number];
  const tree = treeHere();
  const before = openDescriptors();
  for (const room of [0, 1, 2]) {
    const peer = withRoomFor(t, room, () => identifyPeer(one, tree));
    t.match(peer, /no file descriptor left/, `room for ${room}`);
    t.equal(openDescriptors(), before);
  }
  const peer = withRoomFor(t, 3, () => identifyPeer(one, tree));
  t.type(peer, 'object', 'room for all');
  if (typeof peer !== 'string') peer.close();
  close(one);
  close(other);
  t.end();
});

function treeHere(): CgroupTree {
  const tree = CgroupTree.open(cgroupRoot()!);
  if (typeof tree === 'string') throw new Error(tree);
  return tree;
}

/** The limit is on numbers: the lowest free ones are given away. */
function withRoomFor<Outcome>(t: Test, room: number, call: () => Outcome): Outcome {
  const limit = fileLimit();
  if (typeof limit === 'number') throw new Error(`no limit: ${limit}`);
  const next = openSync('/dev/null', 'r');
  closeSync(next);
  setSoftFileLimit(next + room);
  try {
    return call();
  } finally {
    t.equal(setSoftFileLimit(limit.soft), 0);
  }
}
