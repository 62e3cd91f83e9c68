// Secrets do not leave through the admin interface: what Envoy's protos mark as sensitive is shown as `[redacted]`, and so
// are values of headers that calls of our own bring along, which Envoy shows: tokens of control planes and collectors.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump

/** Fields marked `udpa.annotations.sensitive`, in the proto's spelling, and other credentials of calls to Google. */
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
  'google_refresh_token',
  'authorization_token',
  'json_key',
  'secret_access_key',
  'session_token',
]);

/** Fields with headers of calls of our own; names of headers, and the rest of a service, are no secrets. */
const services: ReadonlySet<string> = new Set(['initial_metadata', 'http_service', 'collector_service']);
const headerValues: ReadonlySet<string> = new Set(['value', 'raw_value']);

/** The same JSON document with every sensitive value replaced. */
export function redact(value: unknown): unknown {
  return copy(value, 'plain');
}

type Place = 'plain' | 'service' | 'secret';

function copy(value: unknown, place: Place): unknown {
  if (Array.isArray(value)) return value.map((element) => copy(element, place));
  if (typeof value !== 'object' || value === null) return place === 'secret' ? '[redacted]' : value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, copy(inner, placeOf(protoName(name), place))]),
  );
}

function placeOf(name: string, outer: Place): Place {
  if (outer === 'secret' || sensitive.has(name) || (outer === 'service' && headerValues.has(name))) return 'secret';
  return services.has(name) ? 'service' : outer;
}

function protoName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
