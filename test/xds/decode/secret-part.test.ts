import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeSecretPart, readSecretPart } from '../../../xds/decode/secret-part.ts';
import type { DataSource } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const part = (yaml: string) =>
  decodedAs('envoy.config.core.v3.DataSource', yaml, (message: DataSource) => decodeSecretPart(message)).value;

t.test('a part is where it is said to be, and is read from there each time', async (t) => {
  const path = join(t.testdir({}), 'part');
  t.same(part(`{filename: ${path}}`), { kind: 'file', path });
  t.same(part('{environment_variable: A}'), { kind: 'environment', variable: 'A' });
  t.same(part('{inline_bytes: w6k=}'), { kind: 'inline', bytes: Uint8Array.of(0xc3, 0xa9) });
  t.same(part('{inline_string: é}'), { kind: 'inline', bytes: Uint8Array.of(0xc3, 0xa9) });
  process.env['OUTRIGGER_TEST_PART'] = 'e';
  t.teardown(() => delete process.env['OUTRIGGER_TEST_PART']);
  const read = (yaml: string) => {
    const problems = new Problems('p');
    const bytes = readSecretPart(part(yaml)!, problems);
    return bytes ? Buffer.from(bytes).toString() : problems.list.map(({ path: at, message }) => `${at}: ${message}`);
  };
  for (const text of ['1', '2']) {
    writeFileSync(path, text);
    t.equal(read(`{filename: ${path}}`), text);
  }
  t.equal(read('{inline_string: é}'), 'é');
  t.equal(read('{environment_variable: OUTRIGGER_TEST_PART}'), 'e');
  t.same(read('{environment_variable: OUTRIGGER_ABSENT}'), [
    'p.environment_variable: there is no environment variable OUTRIGGER_ABSENT',
  ]);
  t.same(read('{filename: /nowhere/at/all}'), [
    'p.filename: /nowhere/at/all cannot be read: ENOENT: there is no folder /nowhere; put it there, or correct the path',
  ]);
});
