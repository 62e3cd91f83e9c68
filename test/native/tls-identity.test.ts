import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import type { StapleOutcome } from '../../native/tls-choice.ts';
import { freeIdentity, type LoadedIdentity, loadIdentity, ocspValidity } from '../../native/tls-identity.ts';
import { Authority, contextFor } from '../support/tls-fixtures.ts';
import { meetNodeClient } from '../support/tls-node-client.ts';

// Buffers of this process are garbage, and no leak.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const folder = t.testdir();
const mesh = Authority.make(folder, 'mesh');
const leaf = mesh.issue(); // leaf1.pem
const otherLeaf = mesh.issue();
const response = makeResponse();
const DAY_MS = 86_400_000;

t.test('what is loaded knows its certificate, its kind of key and its response', (t) => {
  const loaded = loadIdentity({
    ...leaf,
    certificateChain: leaf.certificateChain + mesh.certificate,
    ocspStaple: response,
  });
  if (typeof loaded === 'string') throw new Error(loaded);
  t.equal(loaded.facts.subject, 'CN=leaf1');
  t.equal(loaded.certificates.length, 2);
  t.ok(loaded.keyKind > 0);
  const lifeMs = loaded.staple!.expiresAtMs - Date.now();
  t.ok(lifeMs > 0 && lifeMs <= 2 * DAY_MS, `${lifeMs}`);
  freeIdentity(loaded);
  t.match(
    loadIdentity({ ...leaf, privateKey: otherLeaf.privateKey }),
    /^the private key does not go with the certificate/,
  );
  t.equal(loadIdentity({ ...leaf, ocspStaple: Buffer.from('no response') }), 'the OCSP response cannot be read');
  t.end();
});

t.test('an identity that is freed, or refused, leaves no memory', (t) => {
  const refusals = [
    { ...leaf, privateKey: otherLeaf.privateKey },
    { ...leaf, privateKey: 'no key' },
    { ...leaf, ocspStaple: Buffer.from('no response') },
  ];
  const rounds = (count: number) => {
    for (let round = 0; round < count; round++) {
      freeIdentity(loadIdentity({ ...leaf, ocspStaple: response }) as LoadedIdentity);
      for (const refused of refusals) loadIdentity(refused);
    }
  };
  // As much garbage as there will be.
  rounds(1500);
  const before = residentBytes();
  rounds(1500);
  // 1,500 certificates with their keys would be 6 MiB at the least.
  t.ok(residentBytes() - before < 3 * 1024 * 1024, `${residentBytes() - before} bytes more`);
  t.end();
});

t.test('a client that asks is sent the response, until it is out of date', async (t) => {
  const outcomes: StapleOutcome[] = [];
  const meet = (nowMs: number, kind: 'lenient' | 'strict', isAsking = true) => {
    const staples = { kind, wallClock: () => nowMs, onRequest: (outcome: StapleOutcome) => outcomes.push(outcome) };
    const identity = { ...leaf, ocspStaple: response };
    const context = contextFor(t, { side: 'server', identity, verification: 'none', staples });
    return meetNodeClient(t, context, { ca: mesh.certificate, requestOCSP: isAsking });
  };
  t.same((await meet(Date.now(), 'lenient')).ocspResponse, response);
  t.equal((await meet(Date.now() + 9 * DAY_MS, 'lenient')).ocspResponse, null);
  t.not((await meet(Date.now() + 9 * DAY_MS, 'strict')).result, 0, 'the handshake fails');
  t.same(outcomes, ['sent', 'omitted', 'failed']);
  t.equal((await meet(Date.now(), 'strict', false)).ocspResponse, undefined);
  t.equal(outcomes.length, 3, 'nobody has asked');
  t.end();
});

t.test('responses that are damaged are read or refused, and never more than that', (t) => {
  fc.assert(
    fc.property(fc.nat(response.length - 1), fc.nat(255), fc.nat(response.length), (at, value, length) => {
      const damaged = Buffer.from(response);
      damaged[at] = value;
      const validity = ocspValidity(damaged.subarray(0, length));
      return validity === undefined || !Number.isNaN(validity.validFromMs + validity.expiresAtMs);
    }),
    { seed: 3, numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => ocspValidity(bytes) === undefined),
    { seed: 4, numRuns: 500 },
  );
  t.end();
});

function makeResponse(): Buffer {
  const file = `${folder}/ocsp.der`;
  const ca = ['-CA', `${folder}/ca.pem`, '-rsigner', `${folder}/ca.pem`, '-rkey', `${folder}/ca.key`];
  const about = ['-issuer', `${folder}/ca.pem`, '-cert', `${folder}/leaf1.pem`, '-no_nonce'];
  execFileSync('openssl', ['ocsp', '-index', `${folder}/index`, ...ca, ...about, '-ndays', '1', '-respout', file], {
    stdio: 'pipe',
  });
  return readFileSync(file);
}

function residentBytes(): number {
  collectGarbage();
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}
