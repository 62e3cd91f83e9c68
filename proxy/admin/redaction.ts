// Secrets do not leave through the admin interface: what Envoy's protos mark as sensitive is shown as `[redacted]`, and so
// are values of headers that calls of our own bring along, which Envoy shows: tokens of control planes and collectors. So is
// what a control plane sent of a type that is not known here, since nobody can say what is in its bytes.
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
  'access_key_id',
  'backend_token',
  'context_extensions',
  'downstream_auth_password',
  'downstream_auth_passwords',
  'downstream_auth_username',
  'secret_data',
  'users',
]);

/** Fields with headers of calls of our own; names of headers, and the rest of a service, are no secrets. */
const services: ReadonlySet<string> = new Set(['initial_metadata', 'http_service', 'collector_service']);
const headerValues: ReadonlySet<string> = new Set(['value', 'raw_value']);

/**
 * Messages that are not looked into here, with credentials of calls or headers of them somewhere inside: from a control plane
 * each is the base64 of its bytes, where nothing can be told apart.
 */
const opaque: ReadonlySet<string> = new Set([
  'health_checks',
  'leds_cluster_locality_config',
  'on_demand',
  'scoped_routes',
]);

/** The same JSON document with every sensitive value replaced. */
export function redact(value: unknown): unknown {
  return copy(value, 'plain');
}

type Place = 'plain' | 'service' | 'opaque' | 'secret';

function copy(value: unknown, place: Place): unknown {
  if (Array.isArray(value)) return value.map((element) => copy(element, place));
  if (typeof value !== 'object' || value === null)
    return place === 'secret' || place === 'opaque' ? '[redacted]' : value;
  const outer = place === 'opaque' ? 'plain' : place;
  const isUnknown = isUnknownAny(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isUnknown && name === 'value' ? '[redacted]' : copy(inner, placeOf(protoName(name), outer)),
    ]),
  );
}

function placeOf(name: string, outer: Place): Place {
  if (outer === 'secret' || sensitive.has(name) || (outer === 'service' && headerValues.has(name))) return 'secret';
  if (services.has(name)) return 'service';
  return opaque.has(name) ? 'opaque' : outer;
}

/** An `Any` whose bytes stand there as base64; text of Google's own types stands in the same place. */
function isUnknownAny(value: object): boolean {
  const { '@type': type, value: content } = value as { readonly '@type'?: unknown; readonly value?: unknown };
  return typeof type === 'string' && typeof content === 'string' && !type.includes('/google.protobuf.');
}

function protoName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
