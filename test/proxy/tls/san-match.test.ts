import fc from 'fast-check';
import t from 'tap';
import type { StringMatcher } from '../../../config/matcher.ts';
import type { SubjectAltNameMatcher } from '../../../config/secret.ts';
import { type AltNames, compileAltNames, dnsNameMatches, isFor } from '../../../proxy/tls/san-match.ts';

const URI = 'spiffe://cluster.local/ns/default/sa/reviews';
/** The user's principal name of Active Directory. */
const UPN = '1.3.6.1.4.1.311.20.2.3';
const certificate: AltNames = {
  uris: [URI],
  dnsNames: ['reviews.default.svc', '*.wild.test'],
  emails: ['reviews@example.test'],
  ipAddresses: [Buffer.from([10, 0, 0, 7]), Buffer.from('20010db8000000000000000000000001', 'hex')],
  otherNames: [
    { type: UPN, value: Buffer.from('müller@corp.test').toString('latin1') },
    { type: '1.2.3', value: 'reviews' },
    { type: '1.2.4', value: 'a\0b' },
  ],
};

type Kind = Exclude<StringMatcher['kind'], 'regex'>;
const is = (kind: Kind, value: string, ignoreCase = false): StringMatcher => ({ kind, value, ignoreCase });
const regex = (pattern: string): StringMatcher => ({ kind: 'regex', regex: pattern });

function allows(type: PlainType, matcher: StringMatcher, names: AltNames = certificate): boolean {
  const compiled = compileAltNames([{ type, matcher }]);
  if (typeof compiled === 'string') throw new Error(compiled);
  return compiled(names);
}

type PlainType = Exclude<SubjectAltNameMatcher['type'], 'other-name'>;

/** A type, what lets the certificate in, and what does not. */
const table: readonly [PlainType, readonly StringMatcher[], readonly StringMatcher[]][] = [
  [
    'uri',
    [
      is('exact', URI),
      is('prefix', 'spiffe://cluster.local/ns/default/'),
      is('suffix', '/sa/reviews'),
      is('contains', '/ns/default/'),
      regex('spiffe://cluster\\.local/ns/[^/]+/sa/reviews'),
      is('exact', URI.toUpperCase(), true),
    ],
    [
      is('exact', `${URI}/`),
      is('exact', URI.toUpperCase()),
      is('prefix', 'spiffe://other/'),
      is('suffix', '/sa/rev'),
      is('contains', '/ns/prod/'),
      regex('spiffe://cluster\\.local'),
      is('exact', 'reviews.default.svc'),
    ],
  ],
  [
    'dns',
    [
      is('exact', 'reviews.default.svc'),
      is('exact', 'REVIEWS.default.svc'),
      is('exact', 'a.wild.test'),
      is('prefix', 'reviews.'),
      is('suffix', '.svc'),
      is('contains', 'default'),
      regex('reviews\\..*'),
    ],
    [
      is('exact', 'reviews'),
      is('exact', 'a.b.wild.test'),
      is('exact', 'wild.test'),
      is('prefix', 'default'),
      is('suffix', '.com'),
      is('contains', 'prod'),
      regex('reviews'),
      is('exact', URI),
      is('suffix', 'REVIEWS.default.svc'),
    ],
  ],
  [
    'email',
    [
      is('exact', 'reviews@example.test'),
      is('prefix', 'reviews@'),
      is('suffix', '@example.test'),
      is('contains', '@example.'),
      regex('[a-z]+@example\\.test'),
      is('exact', 'Reviews@example.test', true),
    ],
    [
      is('exact', 'ratings@example.test'),
      is('prefix', 'x'),
      is('suffix', '@other.test'),
      is('contains', 'ratings'),
      regex('[0-9]+@.*'),
    ],
  ],
  [
    'ip-address',
    [
      is('exact', '10.0.0.7'),
      is('exact', '2001:db8::1'),
      is('exact', '2001:0DB8:0:0:0:0:0:1'),
      is('prefix', '10.0.'),
      is('suffix', '::1'),
      is('contains', 'db8'),
      regex('10\\.0\\.0\\.\\d+'),
    ],
    [
      is('exact', '10.0.0.8'),
      is('exact', '2001:db8::2'),
      is('prefix', '10.1.'),
      is('suffix', '::2'),
      is('contains', 'fe80'),
      regex('192\\..*'),
    ],
  ],
];

t.test('every kind of matcher on every kind of name: what is let in and what is not', (t) => {
  for (const [type, good, bad] of table) {
    for (const matcher of good) t.equal(allows(type, matcher), true, `${type} ${JSON.stringify(matcher)}`);
    for (const matcher of bad) t.equal(allows(type, matcher), false, `${type} not ${JSON.stringify(matcher)}`);
  }
  t.end();
});

t.test('a name of one type is none of another, and any of them is any', (t) => {
  for (const type of ['dns', 'email', 'ip-address'] as const) t.equal(allows(type, is('exact', URI)), false);
  for (const value of [URI, 'reviews.default.svc', 'a.wild.test', 'reviews@example.test', '10.0.0.7'])
    t.equal(allows('any', is('exact', value)), true, value);
  t.equal(allows('any', is('exact', 'stranger')), false);
  t.end();
});

t.test('another name is matched by its own type, as bytes', (t) => {
  const isAllowed = (oid: string, matcher: StringMatcher) =>
    compileAltNames([{ type: 'other-name', oid, matcher }])(certificate);
  for (const matcher of [is('exact', 'müller@corp.test'), is('suffix', '@corp.test'), regex('.*@corp\\.test')])
    t.equal(isAllowed(UPN, matcher), true, JSON.stringify(matcher));
  t.equal(isAllowed('1.2.3', is('exact', 'reviews')), true);
  t.equal(isAllowed('1.2.3', is('exact', 'müller@corp.test')), false, 'a value of another type');
  t.equal(isAllowed('1.2', is('prefix', '')), false, 'a type that is the beginning of another');
  t.equal(isAllowed('1.2.4', is('prefix', 'a')), false, 'a zero byte');
  t.equal(isAllowed(UPN, is('exact', URI)), false);
  t.equal(allows('any', is('exact', 'reviews')), false, 'no name that is asked for without a type');
  t.end();
});

t.test('one of several is enough, and none of none', (t) => {
  const several = compileAltNames([
    { type: 'uri', matcher: is('exact', 'spiffe://a/b') },
    { type: 'uri', matcher: is('exact', URI) },
  ]);
  t.equal(typeof several === 'function' && several(certificate), true);
  const none = compileAltNames([]);
  t.equal(typeof none === 'function' && none(certificate), false);
  t.end();
});

t.test('stars of DNS names stand for letters of the first label', (t) => {
  const good = [
    ['a.test', '*.test'],
    ['A.Test', '*.tEST'],
    ['foobar.test', 'foo*.test'],
    ['foobar.test', '*bar.test'],
    ['foobar.test', 'f*r.test'],
    ['foo.test', 'foo*.test'],
  ];
  const bad = [
    ['a.b.test', '*.test'],
    ['test', '*'],
    ['.test', '*.test'],
    ['a.test', '**.test'],
    ['a.b.test', 'a.*.test'],
    ['a.b.test', '*.*.test'],
    ['fo.test', 'fo*o.test'],
    ['xn--abc.test', 'xn--*.test'],
    ['a.test.', '*.test'],
    ['a', '*'],
    ['', ''],
  ].slice(0, -1);
  for (const [name, pattern] of good) t.equal(dnsNameMatches(name!, pattern!), true, `${name} ${pattern}`);
  for (const [name, pattern] of bad) t.equal(dnsNameMatches(name!, pattern!), false, `${name} ${pattern}`);
  t.end();
});

t.test('a certificate is for a name or an address, and a name is no address', (t) => {
  t.equal(isFor(certificate, 'a.wild.test'), true);
  t.equal(isFor(certificate, '10.0.0.7'), true);
  t.equal(isFor(certificate, '[2001:db8::1]'), true);
  t.equal(isFor({ ...certificate, dnsNames: ['10.0.0.9'] }, '10.0.0.9'), false);
  t.equal(isFor(certificate, URI), false);
  t.end();
});

t.test('a zero byte hides nothing: such a name matches nothing', (t) => {
  const sly = { ...certificate, dnsNames: ['good.test\0.evil.test'], uris: [`${URI}\0`], emails: ['a@good.test\0'] };
  for (const type of ['dns', 'uri', 'email'] as const) {
    for (const matcher of [is('prefix', ''), is('contains', 'good'), regex('(?s).*')])
      t.equal(allows(type, matcher, sly), false, type);
  }
  t.equal(isFor(sly, 'good.test'), false);
  t.end();
});

t.test('names of any bytes never throw, and match only what they are', (t) => {
  const name = fc.string({ unit: 'binary', maxLength: 24 }).map((text) => Buffer.from(text).toString('latin1'));
  const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value));
  const names = fc.record({
    uris: fc.array(name, { maxLength: 3 }),
    dnsNames: fc.array(name, { maxLength: 3 }),
    emails: fc.array(name, { maxLength: 3 }),
    ipAddresses: fc.array(bytes, { maxLength: 3 }),
    otherNames: fc.array(fc.record({ type: fc.constant('1.2.3'), value: name }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(names, (presented) => {
      const isAllowed = allows('any', is('exact', URI), presented);
      return isAllowed === [presented.uris, presented.emails, presented.dnsNames].some((list) => list.includes(URI));
    }),
    { seed: 11, numRuns: 500 },
  );
  fc.assert(
    fc.property(names, (presented) => !isFor(presented, 'reviews.default.svc') && !isFor(presented, '10.0.0.7')),
    { seed: 12, numRuns: 500 },
  );
  t.end();
});
