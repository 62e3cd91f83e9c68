// Whether a certificate is that of the peer that was meant. Its chain was verified before.

import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { GrpcTls } from '../../config/config-source.ts';

/**
 * Undefined when `certificate` has one of the names that the configuration demands, or is for `host` when it demands
 * none; otherwise what is wrong, as a sentence.
 */
export function identityProblem(
  certificate: X509Certificate,
  { subjectAltNames, sni }: GrpcTls,
  host: string,
): string | undefined {
  const demanded = subjectAltNames.length > 0 ? subjectAltNames : [hostName(sni ?? host)];
  if (demanded.some((name) => hasName(certificate, name))) return undefined;
  const texts = new Set(demanded.map(({ value }) => value));
  return `its certificate is for ${certificate.subjectAltName ?? 'nobody'}, not for ${[...texts].join(' or ')}`;
}

type SubjectAltName = GrpcTls['subjectAltNames'][number];

function hostName(value: string): SubjectAltName {
  return { type: isIP(value) === 0 ? 'dns' : 'ip-address', value };
}

/** Only subject alternative names count: a common name is no name (RFC 6125 section 6.4.4). */
function hasName(certificate: X509Certificate, { type, value }: SubjectAltName): boolean {
  switch (type) {
    case 'dns':
      return certificate.checkHost(value, { subject: 'never' }) !== undefined;
    case 'ip-address':
      return isIP(value) !== 0 && certificate.checkIP(value) !== undefined;
    case 'email':
      return certificate.checkEmail(value, { subject: 'never' }) !== undefined;
    case 'uri':
      return uriNames(certificate.subjectAltName ?? '').includes(value);
  }
}

/** `TYPE:value, TYPE:value …`, of which Node.js quotes a value that has a comma, a quote or a control character. */
const nameAtStart = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)/y;

/** None when the text is not of that form to its end: what cannot be read names nobody. */
function uriNames(text: string): readonly string[] {
  const uris: string[] = [];
  let end = 0;
  while (end < text.length) {
    nameAtStart.lastIndex = end;
    const [matched, type, value = ''] = nameAtStart.exec(text) ?? [];
    if (matched === undefined || matched === '') return [];
    if (type === 'URI' && !value.startsWith('"')) uris.push(value);
    end += matched.length;
  }
  return uris;
}
