// Moments as certificates write them (ASN1_TIME), in either of the two forms of RFC 5280 4.1.2.5.

import { bytesOfAsn1 } from './asn1-string.ts';
import { declareOpenssl } from './openssl.ts';

/** Milliseconds since 1970; NaN when it cannot be read. */
export function timeOf(time: number): number {
  const generalized = toGeneralizedTime()(time, 0);
  if (generalized === 0) return Number.NaN;
  const text = bytesOfAsn1(generalized).toString('latin1');
  freeText()(generalized);
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

const toGeneralizedTime = declareOpenssl('uint64_t', 'ASN1_TIME_to_generalizedtime', ['uint64_t', 'uint64_t']);
const freeText = declareOpenssl('void', 'ASN1_STRING_free', ['uint64_t']);
