import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { openSettings, pinSettings } from '../../../bpf/loader/pinned-settings.ts';
import { bpfSkipReason, temporaryBpffs } from '../../support/bpf-environment.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';

const skip = bpfSkipReason('root', 'libbpf', 'bpffs') ?? false;

function folderOf(t: Test): string {
  const folder = join(temporaryBpffs(t), 'pod');
  mkdirSync(folder);
  return folder;
}

t.test('settings come back as they were, each time in the place of those before', { skip }, (t) => {
  const folder = folderOf(t);
  const before = openDescriptors();
  const aName = fc.stringMatching(/^\w{1,40}$/);
  const content = fc.record({ links: fc.array(aName), maps: fc.array(aName), settings: fc.jsonValue() });
  fc.assert(
    fc.property(content, (content) => {
      t.equal(pinSettings(folder, content), undefined);
      t.same(openSettings(folder), JSON.parse(JSON.stringify(content)));
    }),
    { numRuns: 50 },
  );
  t.same(readdirSync(folder), ['settings']);
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('names that would lead out of the folder are not ours', { skip }, (t) => {
  const folder = folderOf(t);
  for (const name of ['../up', 'a/b', '', 'a.b']) {
    t.equal(pinSettings(folder, { links: [name], maps: [], settings: {} }), undefined);
    t.match(openSettings(folder), { reason: `${folder}/settings was not written by Outrigger` }, JSON.stringify(name));
  }
  t.end();
});

t.test('settings that a map cannot hold are refused', { skip }, (t) => {
  const folder = folderOf(t);
  const settings = 'x'.repeat(2 << 20);
  t.match(pinSettings(folder, { links: [], maps: [], settings }), {
    reason: /^settings of \d+ bytes cannot be pinned/,
  });
  t.same(readdirSync(folder), []);
  t.end();
});
