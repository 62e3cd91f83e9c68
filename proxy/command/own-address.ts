import { networkInterfaces } from 'node:os';

/** This machine's first address that is not loopback: what Envoy puts into x-forwarded-for for loopback peers. */
export function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) if (address.family === 'IPv4' && !address.internal) return address.address;
  }
  return '127.0.0.1';
}
