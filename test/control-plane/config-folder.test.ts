import { execFileSync } from 'node:child_process';
import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type FolderFile, readFolder } from '../../control-plane/config-folder.ts';

function known(file: string, stamp = 'earlier'): [string, FolderFile] {
  return [file, { file, group: undefined, text: 'known', stamp }];
}

t.test('of files that are known only those that were touched are looked at', (t) => {
  const folder = t.testdir({ 'a.yaml': 'a', 'b.yaml': 'b', 'new.yaml': 'new' });
  const files = new Map([known('a.yaml'), known('b.yaml'), known('gone.yaml')]);
  const texts = (touched?: readonly string[]) =>
    readFolder(folder, { files, touched: touched && new Set(touched) }).files.map(({ text }) => text);
  t.same(texts(['b.yaml']), ['known', 'b', 'new']);
  t.same(texts([]), ['known', 'known', 'new']);
  t.same(texts(), ['a', 'b', 'new']);
  t.end();
});

t.test('a link, and a file that was read while it might have been written, is looked at each time', (t) => {
  const folder = t.testdir({ 'a.yaml': 'a', '.hidden': {} });
  writeFileSync(join(folder, '.hidden', 'b.yaml'), 'b');
  symlinkSync('.hidden/b.yaml', join(folder, 'b.yaml'));
  const files = new Map([known('a.yaml', ''), known('b.yaml')]);
  const read = readFolder(folder, { files, touched: new Set() });
  t.same(
    read.files.map(({ text }) => text),
    ['a', 'b'],
  );
  t.end();
});

t.test('what is no text is named, and neither waited for nor read without end', (t) => {
  const folder = t.testdir({ 'a.yaml': 'a', 'huge.yaml': '' });
  execFileSync('mkfifo', [join(folder, '.pipe')]);
  symlinkSync('.pipe', join(folder, 'pipe.yaml'));
  symlinkSync('/dev/zero', join(folder, 'zero.yaml'));
  truncateSync(join(folder, 'huge.yaml'), 256 * 1024 * 1024 + 1);
  writeFileSync(join(folder, 'latin1.yaml'), Buffer.from('service: sh\u00f6p\nname: caf\u00e9\n', 'latin1'));
  writeFileSync(
    join(folder, 'mixed.yaml'),
    Buffer.concat([Buffer.from('# caf\u00e9\n\n'), Buffer.from([0x61, 0xe9, 0x0a])]),
  );
  writeFileSync(join(folder, 'cut.yaml'), Buffer.from('# caf\u00e9').subarray(0, -1));
  const { files, unreadable } = readFolder(folder);
  t.same(
    files.map(({ file }) => file),
    ['a.yaml'],
  );
  const noFile = 'is no file but a pipe, a socket or a device; put a file there, or remove it';
  const notUtf8 = 'is not UTF-8; save it in that encoding';
  t.same(unreadable, [
    { file: 'cut.yaml', line: 1, message: notUtf8 },
    { file: 'huge.yaml', message: 'has more than 256 MiB; spread what is in it over several files' },
    { file: 'latin1.yaml', line: 1, message: notUtf8 },
    { file: 'mixed.yaml', line: 3, message: notUtf8 },
    { file: 'pipe.yaml', message: noFile },
    { file: 'zero.yaml', message: noFile },
  ]);
  t.end();
});
