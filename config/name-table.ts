// Names of a mesh and their addresses, as its control plane tells them to a sidecar that answers DNS (Istio's NDS).

/** By name: lower case, without a dot at its end. `*.example.com` stands for all names below `example.com`. */
export type NameTable = ReadonlyMap<string, NamedHost>;

export interface NamedHost {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** Of a service of Kubernetes, which has shorter names too. */
  readonly service: { readonly name: string; readonly namespace: string } | undefined;
  /** Other names of the same form. */
  readonly aliases: readonly string[];
}
