// Why a call ended, in words that say where it went, what happened, and what to look at.

import { status as statusCodes } from '@grpc/grpc-js';
import type { StreamEnd } from './transport.ts';

export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  /** Of the peer, for people. */
  readonly peer: string;
  readonly isConnected: boolean;
  /** Whether TLS was to be spoken; undefined where that is not known. */
  readonly isSecured?: boolean;
}

export function describeFailure(failure: GrpcFailure): StreamEnd {
  const { code, details, peer, isConnected } = failure;
  if (code === statusCodes.OK) return { code, reason: `the stream was ended by ${peer}` };
  const what = tidy(details);
  const where = isConnected ? `the stream to ${peer} ended` : `no connection to ${peer}`;
  const hint = hintOf(what, failure);
  const reason = `${code} ${statusCodes[code] ?? 'UNKNOWN'}: ${where}${what === '' ? '' : `: ${what}`}`;
  return { code, reason: hint === undefined ? reason : `${reason} (${hint})` };
}

/** Without what the library says around the cause. */
function tidy(details: string): string {
  return details
    .replace(/^No connection established(\. Last error: )?/, '')
    .replace(/\. Resolution note: .*$/s, '')
    .replace(/^(?:null|Error: )/, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, '')
    .replace(/^Error: /, '')
    .replace(openSslError, 'TLS: $<reason>');
}

/** `40CD…:error:0A00010B:SSL routines:FUNCTION:wrong version number:FILE:LINE:` and what may follow. */
const openSslError = /^[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:(?<reason>[^:]*):.*$/s;

const hints: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'does the control plane run, and listen there?'],
  [/connect ENOENT/, 'does the process run that makes this socket?'],
  [/connect EACCES/, 'may this user open the socket?'],
  [/ENOTFOUND|EAI_AGAIN|[Nn]ame resolution/, 'does DNS know the name?'],
  [/EHOSTUNREACH|ENETUNREACH|no answer within/, 'do routes and firewalls let it through?'],
  [/certificate has expired|not yet valid/i, 'check the rotation of its certificate, and the clocks'],
  [
    /certificate is for/,
    'where that is the right one, say so: match_typed_subject_alt_names of its cluster, ' +
      '--upstream-san of outrigger control-plane, ISTIOD_SAN of outrigger sidecar',
  ],
  [/self.signed|unable to (?:get|verify)|issuer/i, 'is its certificate signed by one of the trusted roots?'],
  [
    /wrong version number|packet length too long/i,
    'it speaks clear text, and TLS is configured: is there another port for TLS?',
  ],
  [/disconnected before secure TLS/i, 'does that port speak TLS?'],
  [/alert no application protocol/i, 'it speaks TLS and no HTTP/2: is that the port for gRPC?'],
  [/alert/i, 'does it ask for a certificate of ours?'],
  [/^Protocol error/, 'what it says is no HTTP/2: is that the port for gRPC?'],
  [/larger than max/, 'a message may have 256 MiB'],
  [/^Bandwidth exhausted/, 'does it allow pings as often? See connection_keepalive'],
];

/** What a server of TLS does with clear text: it ends the connection, or resets it. The first are the library's words. */
const closedAtOnce = /^Failed to connect$|ECONNRESET/;

function hintOf(what: string, { code, isConnected, isSecured }: GrpcFailure): string | undefined {
  for (const [pattern, hint] of hints) if (pattern.test(what)) return hint;
  if (!isConnected && isSecured !== true && closedAtOnce.test(what)) {
    return 'it closed the connection at once: does it want TLS, which is not configured?';
  }
  switch (code) {
    case statusCodes.UNAUTHENTICATED:
      return 'check the token or the certificate that is sent';
    case statusCodes.PERMISSION_DENIED:
      return 'check the node id and its namespace, and who the token is for';
    case statusCodes.UNIMPLEMENTED:
      return 'does it speak this kind of discovery? See api_type';
    default:
      return undefined;
  }
}
