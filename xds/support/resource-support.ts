// Fields of the resources that only control planes send; the others have tables with what they belong to.

import type { SupportTable } from './support-table.ts';

const T = 'envoy.extensions.transport_sockets.tls.v3';

export const resourceSupport: SupportTable = {
  [`${T}.Secret`]: {
    supported: ['name', 'tls_certificate', 'session_ticket_keys', 'validation_context', 'generic_secret'],
  },
  [`${T}.GenericSecret`]: { supported: ['secret'], unsupported: { secrets: 'write secret' } },
  'envoy.service.runtime.v3.Runtime': { supported: ['name', 'layer'] },
  'istio.networking.nds.v1.NameTable': { supported: ['table'] },
  'istio.networking.nds.v1.NameTable.NameInfo': {
    supported: ['ips', 'registry', 'shortname', 'namespace', 'alt_hosts'],
  },
};
