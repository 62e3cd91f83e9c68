// Where each program goes. The order is that of attaching: who remembers and answers is there before connections are
// redirected, and redirection is what goes first when all of it is taken away.

import { AttachType } from '../../native/bpf-link.ts';

export interface ProgramPlace {
  readonly program: string;
  readonly object: 'outbound' | 'inbound';
  readonly at: 'application' | 'proxy' | 'namespace';
  readonly attachType: number;
  /** Not attached unless DNS is captured: every datagram of the application would pass through it. */
  readonly isForDns?: boolean;
}

export const PROGRAM_PLACES: readonly ProgramPlace[] = [
  { program: 'or_sockopt_in', object: 'inbound', at: 'proxy', attachType: AttachType.getsockopt },
  { program: 'or_getsockopt', object: 'outbound', at: 'proxy', attachType: AttachType.getsockopt },
  { program: 'or_sockops', object: 'outbound', at: 'application', attachType: AttachType.sockOps },
  { program: 'or_peer4', object: 'outbound', at: 'application', attachType: AttachType.inet4Getpeername },
  { program: 'or_peer6', object: 'outbound', at: 'application', attachType: AttachType.inet6Getpeername },
  { program: 'or_recv4', object: 'outbound', at: 'application', attachType: AttachType.udp4Recvmsg, isForDns: true },
  { program: 'or_recv6', object: 'outbound', at: 'application', attachType: AttachType.udp6Recvmsg, isForDns: true },
  { program: 'or_send4', object: 'outbound', at: 'application', attachType: AttachType.udp4Sendmsg, isForDns: true },
  { program: 'or_send6', object: 'outbound', at: 'application', attachType: AttachType.udp6Sendmsg, isForDns: true },
  { program: 'or_connect4', object: 'outbound', at: 'application', attachType: AttachType.inet4Connect },
  { program: 'or_connect6', object: 'outbound', at: 'application', attachType: AttachType.inet6Connect },
  { program: 'or_lookup', object: 'inbound', at: 'namespace', attachType: AttachType.skLookup },
];

/** What a successor goes on with; lists are made anew of its own settings. */
export const LASTING_MAPS: Readonly<Record<ProgramPlace['object'], readonly string[]>> = {
  outbound: ['sk_orig', 'orig', 'counters'],
  inbound: ['listeners', 'counters'],
};
