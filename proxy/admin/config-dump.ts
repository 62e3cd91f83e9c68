// `/config_dump`: the bootstrap as it was read and its static resources, in Envoy's sections. Keys of secrets never
// get this far: a configuration with TLS material is refused until TLS is there.

import type { AdminContext } from './server.ts';

interface Document {
  readonly static_resources?: { readonly listeners?: readonly unknown[]; readonly clusters?: readonly unknown[] };
}

export function configDump({ state }: AdminContext): unknown {
  const document = (state.document ?? {}) as Document;
  const lastUpdated = new Date(state.startedAtMs).toISOString();
  const resources = document.static_resources ?? {};
  return {
    configs: [
      { '@type': `${prefix}BootstrapConfigDump`, bootstrap: document, last_updated: lastUpdated },
      {
        '@type': `${prefix}ClustersConfigDump`,
        static_clusters: (resources.clusters ?? []).map((cluster) => ({ cluster, last_updated: lastUpdated })),
      },
      {
        '@type': `${prefix}ListenersConfigDump`,
        static_listeners: (resources.listeners ?? []).map((listener) => ({ listener, last_updated: lastUpdated })),
      },
    ],
  };
}

const prefix = 'type.googleapis.com/envoy.admin.v3.';
