import { symlinkSync, writeFileSync } from 'node:fs';
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
