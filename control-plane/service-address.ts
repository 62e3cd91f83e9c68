// Addresses of the short form: `127.0.0.1:9001`, `[::1]:9001`, `name.example:9001`, `unix:/path`.

import { isIP } from 'node:net';
import type { Problems } from '../config/problems.ts';
import type { Mapping } from './service-fields.ts';

export interface ServiceAddress {
  readonly kind: 'ip' | 'name' | 'pipe';
  /** `envoy.config.core.v3.Address` in proto3 JSON. */
  readonly message: Mapping;
}

const expected = 'expected an address such as 127.0.0.1:9001, [::1]:9001, name.example:9001 or unix:/path';

export function readAddress(value: unknown, problems: Problems): ServiceAddress | undefined {
  const address = typeof value === 'string' ? parseAddress(value) : undefined;
  if (address === undefined) problems.add(`${expected}; got ${JSON.stringify(value) ?? 'nothing'}`);
  return address;
}

function parseAddress(text: string): ServiceAddress | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path === '' ? undefined : { kind: 'pipe', message: { pipe: { path } } };
  }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const name = bracketed ?? plain;
  if (name === undefined || port > 65_535 || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
  const message = { socket_address: { address: name, port_value: port } };
  return { kind: isIP(name) === 0 ? 'name' : 'ip', message };
}
