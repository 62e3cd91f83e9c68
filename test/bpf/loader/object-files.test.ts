import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { failureText, isFailure } from '../../../bpf/loader/load-failure.ts';
import { hashOf, ObjectFiles, type ObjectFilesOptions } from '../../../bpf/loader/object-files.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
const BYTES = Buffer.from('the object');

/** A folder as `npm run build:bpf` makes it, with one object. */
function folderOf(t: Test, options: { signedBy?: typeof privateKey } = {}): string {
  const folder = join(t.testdir(), 'objects');
  mkdirSync(folder);
  const object = { file: 'inbound.bpf.o', sha256: hashOf(BYTES), bytes: BYTES.length, programs: ['or_lookup'] };
  const text = JSON.stringify({ compiler: 'clang 14.0.6', sources: hashOf(BYTES), objects: { inbound: object } });
  writeFileSync(join(folder, 'inbound.bpf.o'), BYTES);
  writeFileSync(join(folder, 'manifest.json'), text);
  if (options.signedBy !== undefined) {
    const signature = sign(null, Buffer.from(text), options.signedBy).toString('base64');
    writeFileSync(join(folder, 'manifest.json.sig'), `${signature}\n`);
  }
  return folder;
}

function opened(options: ObjectFilesOptions): ObjectFiles {
  const files = ObjectFiles.open(options);
  if (isFailure(files)) throw new Error(failureText(files));
  return files;
}

function refusal(options: ObjectFilesOptions): string {
  const files = ObjectFiles.open(options);
  return isFailure(files) ? files.reason : 'not refused';
}

t.test('an object is read when its hash is the one of the manifest', (t) => {
  t.same(opened({ folder: folderOf(t) }).read('inbound'), BYTES);
  t.end();
});

t.test('one byte more or another object in its place is refused, with both hashes', (t) => {
  const folder = folderOf(t);
  const files = opened({ folder });
  appendFileSync(join(folder, 'inbound.bpf.o'), ' ');
  const found = hashOf(Buffer.from('the object '));
  // A Buffer matches any object in tap.
  const read = files.read('inbound');
  t.notOk(Buffer.isBuffer(read));
  t.match(read, {
    reason: `${join(folder, 'inbound.bpf.o')} is not the released object: its sha256 is ${found}, the manifest has ${hashOf(BYTES)}`,
    wayOut: /install the package again/,
  });
  t.end();
});

t.test('objects and manifests that are not there are named, with the way out', (t) => {
  const folder = folderOf(t);
  const files = opened({ folder });
  t.match({ ...files.read('outbound') }, { reason: `there is no BPF object outbound in ${folder}, only inbound` });
  rmSync(join(folder, 'inbound.bpf.o'));
  t.match({ ...files.read('inbound') }, { reason: /cannot read .*inbound\.bpf\.o/ });
  t.match(ObjectFiles.open({ folder: `${folder}/none` }), {
    reason: /cannot read .*none\/manifest\.json/,
    wayOut: /npm run build:bpf/,
  });
  writeFileSync(join(folder, 'manifest.json'), '{}');
  t.match(refusal({ folder }), /manifest\.json is damaged: compiler: a text is needed/);
  t.end();
});

t.test('without a signature it is a development build, and can be refused', (t) => {
  const folder = folderOf(t);
  t.same(opened({ folder }).signature, { kind: 'unsigned', because: 'not signed: a development build' });
  t.match(refusal({ folder, requireSigned: true }), /not signed: a development build, and a signature is required/);
  t.match(refusal({ folder, requireSigned: true, releaseKey: pem }), /a signature is required/);
  t.match(refusal({ folder, releaseKey: pem }), /a signature is required/, 'who gives a key asks for what it signs');
  t.end();
});

t.test('a signature counts by a key, given or beside the objects', (t) => {
  const folder = folderOf(t, { signedBy: privateKey });
  const key = hashOf(publicKey.export({ type: 'spki', format: 'der' }));
  t.match(opened({ folder }).signature, { kind: 'unsigned', because: /no release key/ });
  t.same(opened({ folder, releaseKey: pem }).signature, { kind: 'signed', key });
  writeFileSync(join(folder, '../release-key.pem'), pem);
  t.same(opened({ folder, requireSigned: true }).signature, { kind: 'signed', key });
  t.end();
});

t.test('a signature that is not the key’s is refused, whether one is required or not', (t) => {
  const byAnother = folderOf(t, { signedBy: other.privateKey });
  t.match(refusal({ folder: byAnother, releaseKey: pem }), /is not the release key's signature of manifest\.json/);
  const folder = folderOf(t, { signedBy: privateKey });
  appendFileSync(join(folder, 'manifest.json'), '\n');
  t.match(refusal({ folder, releaseKey: pem }), /is not the release key's signature/, 'the manifest was changed');
  for (const text of ['', 'x', 'A'.repeat(88)]) {
    writeFileSync(join(folder, 'manifest.json.sig'), text);
    t.match(refusal({ folder, releaseKey: pem }), /is not the release key's signature/, JSON.stringify(text));
  }
  t.end();
});

t.test('a key of another kind is refused', (t) => {
  const folder = folderOf(t, { signedBy: privateKey });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  t.match(refusal({ folder, releaseKey: 'none' }), /the release key is no public key in PEM/);
  t.match(
    refusal({ folder, releaseKey: rsa.export({ type: 'spki', format: 'pem' }) as string }),
    /is of type rsa, not ed25519/,
  );
  copyFileSync(join(folder, 'inbound.bpf.o'), join(folder, '../release-key.pem'));
  t.match(refusal({ folder }), /release-key\.pem is no public key/);
  t.end();
});
