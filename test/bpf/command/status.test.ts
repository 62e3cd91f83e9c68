import t from 'tap';
import { audit, status } from '../../../bpf/command/status.ts';
import { GONE } from '../../../bpf/loader/attach-place.ts';
import type { Inventory, ProgramEntry } from '../../../bpf/loader/inventory.ts';
import type { LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';

const noObjects: LoadFailure = { reason: 'there are no objects' };
const skip = bpfSkipReason('objects') ?? false;
const program: ProgramEntry = {
  id: 7,
  name: 'or_connect4',
  object: 'outbound',
  tag: '00112233aabbccdd',
  release: 'same',
  sha256: 'f'.repeat(64),
  loadedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  createdByUid: 1337,
  runCount: 4,
  runTimeNs: 1000,
  memoryBytes: 4096,
  mapIds: [9],
};
const counters = { CAPTURED_TCP4: 3, PASSED_UID: 0 };
const map = {
  id: 9,
  name: 'counters',
  type: 'array',
  keyBytes: 4,
  valueBytes: 8,
  maxEntries: 27,
  entries: 27,
  memoryBytes: 8192,
};
const pinnedAs = '/sys/fs/bpf/outrigger/v1/shop/links/or_connect4';
const link = { id: 8, programId: 7, attachType: 'inet4Connect', place: '/sys/fs/cgroup/a', pinnedAs };
const inventory: Inventory = { programs: [program], links: [link], maps: [{ ...map, counters }], gaps: [] };

t.test('status shows what is attached, since when, of which version, and what happened', (t) => {
  const { text, exitCode } = status(inventory, 'shop');
  t.equal(exitCode, 0);
  t.match(text, /^Redirection shop, pinned\n {2}at \/sys\/fs\/cgroup\/a\n {4}or_connect4$/m);
  t.match(text, /or_connect4 +7 +00112233aabbccdd +outbound +this +2026-01-02 03:04:05 +4 +250 +4 KiB/);
  t.match(text, /^ +captured_tcp4 +3 +outbound +map 9$/m);
  t.notMatch(text, 'passed_uid', 'a counter at 0 says nothing');
  t.end();
});

t.test('what is left of a cgroup that is gone is told, with the way out', (t) => {
  const { text } = status({ ...inventory, links: [{ ...link, place: GONE }] }, undefined);
  t.match(text, 'of no use any more: outrigger bpf unload --name shop');
  t.end();
});

t.test('a name that nothing is attached as is told, and an empty kernel is no failure', (t) => {
  t.match(status(inventory, 'other'), { exitCode: 1, text: /nothing is attached as other/ });
  const empty = { programs: [], links: [], maps: [], gaps: ['cannot list programs'] };
  t.match(status(empty, undefined), { exitCode: 0, text: /^Nothing of ours.*\n\nNot seen: cannot list programs\n$/ });
  t.end();
});

t.test('an audit of released programs passes, and one of another does not', { skip }, (t) => {
  const files = ObjectFiles.open();
  t.match(audit({ inventory, files }), { exitCode: 0, text: /All of it is as (released|built here, not signed)\.\n$/ });
  const signed = {
    folder: '/o',
    manifest: { objects: new Map(), sources: 's', compiler: 'c' },
    signature: { kind: 'signed', key: 'k' },
  };
  const unsigned = { ...signed, signature: { kind: 'none', because: 'there is no key' } };
  t.match(audit({ inventory, files: signed as never }), { exitCode: 0, text: /All of it is as released\.\n$/ });
  t.match(audit({ inventory, files: unsigned as never }), { exitCode: 0, text: /as built here, not signed\.\n$/ });
  for (const release of ['other', 'unknown'] as const) {
    const { sha256: _, ...rest } = program;
    const outcome = audit({ inventory: { ...inventory, programs: [{ ...rest, release }] }, files });
    t.equal(outcome.exitCode, 1);
    t.match(
      outcome.text.replaceAll(/\s+/g, ' '),
      /NOT AS RELEASED program 7 is called or_connect4 and has tag 00112233aabbccdd: .*uid 1337/,
    );
  }
  t.end();
});

t.test('what there is nothing of to look at is a note, and no failure', { skip }, (t) => {
  const noted = { ...inventory, notes: ['bpffs is not mounted, so nothing is pinned here'] };
  t.match(audit({ inventory: noted, files: ObjectFiles.open() }), {
    exitCode: 0,
    text: /^Note: bpffs is not mounted/m,
  });
  t.match(status(noted, undefined).text, /^Note: bpffs is not mounted/m);
  t.end();
});

t.test('what could not be looked at fails the audit', { skip }, (t) => {
  const files = ObjectFiles.open();
  t.match(audit({ inventory: { ...inventory, gaps: ['cannot list links'] }, files }), {
    exitCode: 1,
    text: /cannot list links/,
  });
  t.match(audit({ inventory, files: noObjects }), { exitCode: 1, text: /there are no objects/ });
  t.end();
});
