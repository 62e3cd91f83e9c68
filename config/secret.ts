// Secrets that a control plane sends (`extensions.transport_sockets.tls.v3.Secret`). Never logged, cached or shown.

export type Secret = { readonly name: string } & (
  | {
      readonly kind: 'certificate';
      /** PEM, the own certificate first. */
      readonly certificateChain: string;
      /** PEM. */
      readonly privateKey: string;
    }
  | {
      readonly kind: 'validation-context';
      /** PEM; the system's when undefined. */
      readonly roots?: string;
    }
  | { readonly kind: 'generic'; readonly value: Uint8Array }
);
