import t from 'tap';
import type { ValidationContext } from '../../config/secret.ts';
import { mergeValidationContexts } from '../../config/validation-merge.ts';

const empty: ValidationContext = { subjectAltNames: [], spkiHashes: [], certificateHashes: [] };
const name = (value: string) => ({ type: 'uri', matcher: { kind: 'exact', value, ignoreCase: false } }) as const;

t.test('lists are appended, of all else the secret counts', async (t) => {
  const own: ValidationContext = {
    roots: { kind: 'system' },
    subjectAltNames: [name('a')],
    spkiHashes: ['s1'],
    certificateHashes: ['c1'],
    allowsExpired: true,
    maxVerifyDepth: 1,
  };
  const secret: ValidationContext = {
    roots: { kind: 'pem', pem: 'roots' },
    subjectAltNames: [name('b')],
    spkiHashes: ['s2'],
    certificateHashes: [],
    maxVerifyDepth: 2,
  };
  t.same(mergeValidationContexts(own, secret), {
    roots: { kind: 'pem', pem: 'roots' },
    subjectAltNames: [name('a'), name('b')],
    spkiHashes: ['s1', 's2'],
    certificateHashes: ['c1'],
    allowsExpired: true,
    maxVerifyDepth: 2,
  });
});

t.test('what the secret does not set is that of the user', async (t) => {
  const own: ValidationContext = { ...empty, roots: { kind: 'system' }, acceptsUntrusted: true };
  t.same(mergeValidationContexts(own, empty), own);
});

t.test('trust domains are in place of roots', async (t) => {
  const trustDomains = [{ name: 'one.example', roots: 'roots' }];
  const merged = mergeValidationContexts({ ...empty, roots: { kind: 'system' } }, { ...empty, trustDomains });
  t.same(merged, { ...empty, trustDomains });
});
