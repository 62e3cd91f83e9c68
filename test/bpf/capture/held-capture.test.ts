import { closeSync, fstatSync, openSync } from 'node:fs';
import t from 'tap';
import { closeHeld, describeHeld, findHeld, heldMaps } from '../../../bpf/capture/held-capture.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';

t.test('what one process describes the next one finds, with descriptors of its own', (t) => {
  const [link, map] = [openSync('/dev/null', 'r'), openSync('/dev/zero', 'r')];
  const described = describeHeld({ links: new Map([['or_sockops', link]]), maps: new Map([['outbound_orig', map]]) });
  t.same(
    described.map(({ name }) => name),
    ['capture-link:or_sockops', 'capture-map:outbound_orig'],
  );
  const held = findHeld([{ name: 'shortcut-members', fd: map }, ...described], null);
  if (isFailure(held)) throw new Error(held.reason);
  t.same(
    [[...held.links.keys()], [...held.maps.keys()]],
    [['or_sockops'], ['outbound_orig']],
    'what is not ours is passed over',
  );
  const own = held.links.get('or_sockops')!;
  t.not(own, link);
  t.equal(fstatSync(own).rdev, fstatSync(link).rdev);
  t.same(heldMaps(held, 'outbound'), { orig: held.maps.get('outbound_orig') });
  t.same(heldMaps(held, 'inbound'), {});
  closeHeld(held);
  t.throws(() => fstatSync(own), { code: 'EBADF' });
  for (const fd of [link, map]) closeSync(fd);
  t.end();
});

t.test('where nothing was inherited and nothing is pinned, nothing is held', (t) => {
  t.same(findHeld([{ name: 'listener', fd: 0 }], null), { links: new Map(), maps: new Map() });
  t.end();
});
