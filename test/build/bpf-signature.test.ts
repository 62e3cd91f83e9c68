import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isFailure } from '../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { pathsOf, textOf } from '../house/source-tree.ts';

const SIGN = join(import.meta.dirname, '../../build/bpf-signature.ts');
const MANIFEST = JSON.stringify({ compiler: 'clang 1.0', sources: '0'.repeat(64), objects: {} });

const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

t.test('the loader takes a manifest that is signed with the release key', (t) => {
  const folder = folderOf(t, { 'manifest.json': MANIFEST, 'key.pem': privateKey });
  t.same(sign(folder), { status: 0, stderr: '' });
  t.same(readdirSync(folder).sort(), ['key.pem', 'manifest.json', 'manifest.json.sig']);
  const files = ObjectFiles.open({ folder, releaseKey: publicKey, requireSigned: true });
  t.match(files, { signature: { kind: 'signed', key: /^[0-9a-f]{64}$/ } });
  t.end();
});

t.test('what was changed since is not what was signed', (t) => {
  const folder = folderOf(t, { 'manifest.json': MANIFEST, 'key.pem': privateKey });
  sign(folder);
  writeFileSync(join(folder, 'manifest.json'), MANIFEST.replace('clang 1.0', 'clang 1.1'));
  t.ok(isFailure(ObjectFiles.open({ folder, releaseKey: publicKey })));
  t.end();
});

t.test('without a key, with a key of another kind, or without a manifest nothing is signed', (t) => {
  const elliptic = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const refusals: readonly [Readonly<Record<string, string>>, readonly string[] | undefined, RegExp][] = [
    [{ 'manifest.json': MANIFEST }, [], /: --key FILE is missing: the private key in PEM, as `openssl/],
    [{ 'manifest.json': MANIFEST }, undefined, /: ENOENT: no such file or directory, open '.*key\.pem'/],
    [{ 'manifest.json': MANIFEST, 'key.pem': 'x' }, undefined, /build\/bpf-signature\.ts: \S/],
    [{ 'manifest.json': MANIFEST, 'key.pem': elliptic.privateKey }, undefined, /: the key is of type ec, not ed25519/],
    [{ 'manifest.json': MANIFEST, 'key.pem': publicKey }, undefined, /build\/bpf-signature\.ts: \S/],
    [{ 'key.pem': privateKey }, undefined, /: ENOENT: no such file or directory, open '.*manifest\.json'/],
  ];
  for (const [files, args, message] of refusals) {
    const folder = folderOf(t, files);
    const { status, stderr } = sign(folder, args);
    t.equal(status, 1);
    t.match(stderr, message);
    t.notOk(existsSync(join(folder, 'manifest.json.sig')));
  }
  t.end();
});

t.test('no private key lies in bpf/', (t) => {
  const PRIVATE = /^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m;
  t.same(
    pathsOf('bpf/**/*.{pem,key,json,sig,ts}').filter((path) => PRIVATE.test(textOf(path))),
    [],
  );
  t.match(privateKey, PRIVATE, 'would find one');
  t.end();
});

function sign(folder: string, args: readonly string[] = ['--key', join(folder, 'key.pem')]) {
  const { status, stderr } = spawnSync(process.execPath, [SIGN, '--objects', folder, ...args], { encoding: 'utf8' });
  return { status, stderr };
}

function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-bpf-test-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}
