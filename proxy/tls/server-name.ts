// Whom a connection to an endpoint asks for by SNI, and whose certificate is wanted where names are judged by it.

import type { UpstreamTls } from '../../config/tls.ts';
import { hostOf } from '../http/authority.ts';

type NameRules = Pick<UpstreamTls, 'sni' | 'autoSni' | 'autoHostSni'>;

/** The host of a request, where that is what is asked for; empty where it is nothing to TLS. */
export function requestedHost({ autoSni }: NameRules, authority: string): string {
  return autoSni ? hostOf(authority) : '';
}

/** `host` is as `requestedHost` has it, `hostname` is the endpoint's; either may be empty, and so may the name. */
export function serverNameFor({ sni, autoHostSni }: NameRules, host: string, hostname: string): string {
  if (host !== '') return host;
  return autoHostSni && hostname !== '' ? hostname : sni;
}
