import { readFileSync } from 'node:fs';
import t from 'tap';
import { dropFilePages, unwrittenFiles } from '../../native/file-pages.ts';

const MIB = 2 ** 20;

const mapping = (head: string, { rss = 2048, anonymous = 0, dirty = 0 }): string =>
  `${head}
Size:               4096 kB
Rss:                ${rss} kB
Private_Dirty:         ${dirty} kB
Anonymous:             ${anonymous} kB
VmFlags: rd ex mr mw me
`;

t.test('code and constants leave memory, and come back when they are needed', (t) => {
  const before = residentFileBytes();
  const dropped = dropFilePages();
  t.ok(dropped > 8 * MIB);
  t.ok(residentFileBytes() < before - dropped / 4, 'what runs on is back already');
  t.equal(JSON.parse(JSON.stringify({ still: 'here' })).still, 'here');
  t.match(new Intl.DateTimeFormat('en', { month: 'long', timeZone: 'UTC' }).format(0), 'January');
  t.end();
});

t.test('only mappings of files that are large, read-only and as in the file are dropped', (t) => {
  const code = mapping('00400000-00800000 r-xp 00000000 fe:00 12  /usr/bin/node', {});
  const constants = mapping('7f0000000000-7f0000100000 r--p 00100000 fe:00 12  /usr/bin/node', { rss: 1024 });
  const others = [
    mapping('00800000-00c00000 rw-p 00400000 fe:00 12  /usr/bin/node', {}),
    mapping('00c00000-01000000 r--p 00800000 fe:00 12  /usr/bin/node', { anonymous: 4 }),
    mapping('01000000-01400000 r--s 00000000 fe:00 13  /tmp/shared', { dirty: 4 }),
    mapping('01400000-01800000 r-xp 00000000 fe:00 14  /usr/lib/small.so', { rss: 1020 }),
    mapping('01800000-01c00000 r--p 00000000 00:00 0 ', {}),
    mapping('01c00000-02000000 r--p 00000000 00:00 0  [vvar]', {}),
    '02000000-02400000 r-xp 00000000 fe:00 15  /a/file/of/which/nothing/is/said\n',
  ];
  t.same(unwrittenFiles([code, ...others, constants].join('')), [
    { address: 0x400000, length: 4 * MIB, residentBytes: 2 * MIB },
    { address: 0x7f0000000000, length: MIB, residentBytes: MIB },
  ]);
  t.same(unwrittenFiles(''), []);
  t.end();
});

function residentFileBytes(): number {
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
}
