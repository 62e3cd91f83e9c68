import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MountedIdentity } from '../../../xds/identity/mounted-identity.ts';
import { type CertificateFiles, makeLeaf, makeRoot } from '../../support/certificates.ts';

function replace(from: string, to: string): void {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

function mount(t: Test, folder: string) {
  const lines: string[] = [];
  let wake = (): void => undefined;
  const identity = new MountedIdentity({
    certificatePath: join(folder, 'cert-chain.pem'),
    keyPath: join(folder, 'key.pem'),
    rootsPath: join(folder, 'root-cert.pem'),
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    log: (level, text, facts) => {
      lines.push(`${level} ${text} ${JSON.stringify(facts)}`);
      wake();
    },
  });
  t.teardown(() => identity.stop());
  const logged = async (pattern: RegExp) => {
    for (;;) {
      const line = lines.find((each) => pattern.test(each));
      if (line !== undefined) {
        lines.length = 0;
        return line;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
  };
  return { identity, lines, logged };
}

function certificates(t: Test) {
  const made = join(t.testdir({ made: {}, mounted: {} }), 'made');
  const root = makeRoot(made, 'root');
  const leaf = (name: string): CertificateFiles =>
    makeLeaf({ directory: made, name, root, subjectAltName: 'URI:spiffe://a/b' });
  return { root, first: leaf('first'), second: leaf('second'), folder: join(made, '../mounted') };
}

t.test(
  'files that are there are the identity; a new key and certificate are taken once they belong together',
  async (t) => {
    const { root, first, second, folder } = certificates(t);
    replace(first.certificate, join(folder, 'cert-chain.pem'));
    replace(first.key, join(folder, 'key.pem'));
    replace(root.certificate, join(folder, 'root-cert.pem'));
    const { identity, logged } = mount(t, folder);
    identity.start();
    await logged(/^info a certificate came/);
    t.equal(identity.current!.certificateChain, readFileSync(first.certificate, 'utf8'));
    replace(second.key, join(folder, 'key.pem'));
    t.match(await logged(/^warning/), /the old one holds .*a certificate for another key/);
    t.equal(identity.current!.certificateChain, readFileSync(first.certificate, 'utf8'));
    replace(second.certificate, join(folder, 'cert-chain.pem'));
    await logged(/^info a certificate came/);
    t.equal(identity.current!.certificateChain, readFileSync(second.certificate, 'utf8'));
  },
);

t.test('files that are not there yet are waited for', async (t) => {
  const { root, first, folder } = certificates(t);
  const { identity, logged } = mount(t, folder);
  identity.start();
  t.match(await logged(/^warning/), /mutual TLS waits for it .*ENOENT/);
  t.equal(identity.current, undefined);
  replace(first.key, join(folder, 'key.pem'));
  replace(root.certificate, join(folder, 'root-cert.pem'));
  replace(first.certificate, join(folder, 'cert-chain.pem'));
  await logged(/^info a certificate came/);
  t.ok(identity.current);
});

t.test('new roots alone are a new identity, and nothing new is none', async (t) => {
  const { root, first, folder } = certificates(t);
  for (const [from, name] of [
    [first.certificate, 'cert-chain'],
    [first.key, 'key'],
    [root.certificate, 'root-cert'],
  ] as const)
    replace(from, join(folder, `${name}.pem`));
  const { identity, logged } = mount(t, folder);
  let count = 0;
  identity.subscribe(() => count++);
  identity.start();
  await logged(/^info/);
  replace(first.certificate, join(folder, 'cert-chain.pem'));
  replace(makeRoot(folder, 'other').certificate, join(folder, 'root-cert.pem'));
  await logged(/^info/);
  t.equal(count, 2);
});
