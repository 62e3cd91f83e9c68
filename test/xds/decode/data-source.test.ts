import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeDataSource, decodeTextSource } from '../../../xds/decode/data-source.ts';
import type { DataSource } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const type = 'envoy.config.core.v3.DataSource';
const bytes = (yaml: string) =>
  decodedAs(type, yaml, (message: DataSource, problems) => decodeDataSource(message, problems));
const text = (yaml: string) =>
  decodedAs(type, yaml, (message: DataSource, problems) => decodeTextSource(message, problems));

t.test('a value comes from its place, a file or the environment', async (t) => {
  const path = join(t.testdir(), 'body');
  writeFileSync(path, 'é');
  t.same(bytes('{inline_string: é}').value, Uint8Array.of(0xc3, 0xa9));
  t.same(bytes('{inline_bytes: w6k=}').value, Uint8Array.of(0xc3, 0xa9));
  t.same(bytes(`{filename: ${path}}`).value, Uint8Array.of(0xc3, 0xa9));
  t.equal(text(`{filename: ${path}}`).value, 'é');
  t.equal(text('{inline_string: ""}').value, '');
  process.env['OUTRIGGER_TEST_SOURCE'] = 'é';
  t.teardown(() => delete process.env['OUTRIGGER_TEST_SOURCE']);
  t.equal(text('{environment_variable: OUTRIGGER_TEST_SOURCE}').value, 'é');
});

t.test('what cannot be read is a problem', async (t) => {
  t.same(bytes('{filename: /nowhere/at/all}').problems, [
    'filename: /nowhere/at/all cannot be read: ENOENT: there is no folder /nowhere; put it there, or correct the path',
  ]);
  t.same(bytes('{environment_variable: OUTRIGGER_ABSENT}').problems, [
    'environment_variable: there is no environment variable OUTRIGGER_ABSENT',
  ]);
  t.match(bytes('{}').problems[0], /is required/);
});
