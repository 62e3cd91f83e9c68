import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import {
  closeAll,
  makeFolder,
  openAll,
  pinAll,
  removeEntries,
  removeFolder,
  removeHalfMade,
  replaceAll,
} from '../../../bpf/loader/pinned-entries.ts';
import { type MapInfo, mapInfo } from '../../../native/bpf-info.ts';
import { createMap, MapType } from '../../../native/bpf-map.ts';
import { close } from '../../../native/socket.ts';
import { bpfSkipReason, temporaryBpffs } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { succeeded } from '../../support/shipped-object.ts';

const skip = bpfSkipReason('root', 'libbpf', 'bpffs') ?? false;

function aMap(t: Test): number {
  const fd = createMap({ type: MapType.hash, keyBytes: 4, valueBytes: 8, maxEntries: 1, flags: 0, name: 'or_test' });
  t.teardown(() => close(fd));
  return fd;
}

function folderOf(t: Test): string {
  const folder = join(temporaryBpffs(t), 'pod');
  mkdirSync(folder);
  return folder;
}

const idOf = (fd: number) => (mapInfo(fd) as MapInfo).id;

t.test('all of them are opened, or none', { skip }, (t) => {
  const folder = folderOf(t);
  const maps = { one: aMap(t), two: aMap(t) };
  t.equal(pinAll(folder, maps), undefined);
  const before = openDescriptors();
  const opened = succeeded(openAll(folder, ['two', 'one']));
  t.same(
    [...opened].map(([name, fd]) => [name, idOf(fd)]),
    [
      ['two', idOf(maps.two)],
      ['one', idOf(maps.one)],
    ],
  );
  closeAll(opened);
  t.match(openAll(folder, ['one', 'three', 'two']), {
    reason: `cannot open ${folder}/three: no such file or directory (ENOENT)`,
  });
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('a pin is replaced by another one of its name', { skip }, (t) => {
  const folder = folderOf(t);
  const beside = `${folder}_beside`;
  t.equal(makeFolder(beside), undefined);
  t.equal(makeFolder(beside), undefined, 'one that is there is as good');
  const [old, fresh] = [aMap(t), aMap(t)];
  pinAll(folder, { map: old });
  pinAll(beside, { map: old });
  t.equal(replaceAll(folder, { map: fresh }, beside), undefined, 'what was left beside it is in nobody’s way');
  const opened = succeeded(openAll(folder, ['map']));
  t.equal(idOf(opened.get('map')!), idOf(fresh));
  closeAll(opened);
  t.same(readdirSync(beside), []);
  t.end();
});

t.test('what is not there is passed over, what is not ours stays', { skip }, (t) => {
  const folder = folderOf(t);
  pinAll(folder, { ours: aMap(t), foreign: aMap(t) });
  t.equal(removeEntries(folder, ['ours', 'never_there']), undefined);
  t.match(removeFolder(folder), { reason: `${folder} keeps what Outrigger did not pin: foreign`, wayOut: /rm -r/ });
  t.equal(removeEntries(folder, ['foreign']), undefined);
  t.equal(removeFolder(folder), undefined);
  t.equal(removeFolder(folder), undefined, 'gone is gone');
  t.end();
});

t.test('half-made folders are removed with what is in them', { skip }, (t) => {
  const folder = folderOf(t);
  mkdirSync(join(folder, 'maps'));
  pinAll(join(folder, 'maps'), { one: aMap(t) });
  pinAll(folder, { settings: aMap(t) });
  t.equal(removeHalfMade(folder), undefined);
  t.equal(removeHalfMade(folder), undefined);
  t.ok(isFailure(openAll(folder, ['settings'])));
  t.end();
});
