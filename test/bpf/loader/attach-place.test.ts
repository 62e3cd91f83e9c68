import { readlinkSync, statSync } from 'node:fs';
import t from 'tap';
import { AttachPlaces } from '../../../bpf/loader/attach-place.ts';
import { LinkType } from '../../../native/bpf-info.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';

const link = { id: 1, programId: 2 };
const skip = bpfSkipReason('root', 'cgroup2') ?? false;

t.test('a cgroup is told by its path', { skip }, (t) => {
  const path = temporaryCgroup(t, 'place');
  const cgroupId = statSync(path, { bigint: true }).ino;
  t.equal(new AttachPlaces().text({ ...link, type: LinkType.cgroup, cgroupId }), path);
  t.end();
});

t.test('a network namespace is told by who lives in it', (t) => {
  const netnsInode = Number(/\d+/.exec(readlinkSync('/proc/self/ns/net'))![0]);
  const places = new AttachPlaces();
  t.equal(places.text({ ...link, type: LinkType.netns, netnsInode }), `network namespace ${netnsInode} (this one)`);
  t.equal(places.text({ ...link, type: LinkType.netns, netnsInode: 7 }), 'network namespace 7', 'nobody that we see');
  t.end();
});

t.test('what cannot be found is told nevertheless', (t) => {
  const places = new AttachPlaces();
  const gone = 'nowhere: what it was attached to is gone';
  t.equal(
    places.text({ ...link, type: LinkType.cgroup, cgroupId: 1n << 60n }),
    'cgroup 1152921504606846976, which cannot be seen from here',
  );
  t.equal(places.text({ ...link, type: LinkType.cgroup, cgroupId: 0n }), gone);
  t.equal(places.text({ ...link, type: LinkType.netns, netnsInode: 0 }), gone);
  t.equal(places.text({ ...link, type: LinkType.sockmap, mapId: 12 }), 'map 12');
  t.equal(places.text({ ...link, type: LinkType.sockmap, mapId: 0 }), gone);
  t.end();
});
