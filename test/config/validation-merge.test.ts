import t from 'tap';
import type { ValidationContext } from '../../config/secret.ts';
import { mergeValidationContexts, validationProblem } from '../../config/validation-merge.ts';

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

t.test('what would mean nothing without trusted certificates is a problem', async (t) => {
  t.equal(validationProblem(empty), undefined);
  const rows: readonly [context: Partial<ValidationContext>, problem: RegExp][] = [
    [{ subjectAltNames: [name('a')] }, /^names are of no use without trusted_ca/],
    [{ revocationLists: 'list' }, /^crl is of no use/],
    [{ allowsExpired: true }, /^allow_expired_certificate is of no use/],
  ];
  for (const [context, problem] of rows) {
    t.match(validationProblem({ ...empty, ...context }), problem);
    t.equal(validationProblem({ ...empty, ...context, roots: { kind: 'system' } }), undefined);
    t.equal(validationProblem({ ...empty, ...context, trustDomains: [] }), undefined);
  }
  t.equal(validationProblem({ ...empty, spkiHashes: ['hash'] }), undefined, 'a hash is trusted by itself');
});
