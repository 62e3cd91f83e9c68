// Secrets do not leave through the admin interface: what Envoy's protos mark as sensitive is shown as `[redacted]`.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump

/** Fields marked `udpa.annotations.sensitive`, in the proto's spelling. */
const sensitive: ReadonlySet<string> = new Set([
  'private_key',
  'private_key_provider',
  'pkcs12',
  'password',
  'session_ticket_keys',
  'generic_secret',
  'token_secret',
  'hmac_secret',
  'auth_password',
  'auth_username',
  'access_token',
  'secret_access_key',
]);

/** The same JSON document with every sensitive value replaced. */
export function redact(value: unknown): unknown {
  return copy(value, false);
}

function copy(value: unknown, isSecret: boolean): unknown {
  if (Array.isArray(value)) return value.map((element) => copy(element, isSecret));
  if (typeof value !== 'object' || value === null) return isSecret ? '[redacted]' : value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, copy(inner, isSecret || sensitive.has(protoName(name)))]),
  );
}

function protoName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
