// Secrets do not leave through the admin interface: what Envoy's protos mark as sensitive is shown as `[redacted]`, and so
// are values of headers that calls of our own bring along, which Envoy shows: tokens of control planes and collectors. So is
// what a control plane sent of a type that is not known here, since nobody can say what is in its bytes.
//
// What is left is JSON of the same messages: `istioctl proxy-config` reads it by Envoy's protos.
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

/** The same JSON document with every sensitive value replaced. */
export function redact(value: unknown): unknown {
  return copy(value, 'plain');
}

type Place = 'plain' | 'service' | 'secret';

const hidden = '[redacted]';
/** The same as JSON has it of a field with bytes. */
const hiddenBytes = Buffer.from(hidden).toString('base64');
const byteFields: ReadonlySet<string> = new Set(['inline_bytes', 'raw_value']);

function copy(value: unknown, place: Place): unknown {
  if (Array.isArray(value)) return value.map((element) => copy(element, place));
  // A switch among secrets is none, and has no other text.
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return place === 'secret' ? hidden : value;
  const isUnknown = isUnknownAny(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isUnknown && name === 'value' ? hidden : copyField(protoName(name), inner, place),
    ]),
  );
}

function copyField(name: string, value: unknown, outer: Place): unknown {
  // Which message it is, is no secret.
  if (name === '@type') return value;
  const place = placeOf(name, outer);
  if (place === 'secret' && typeof value === 'string' && byteFields.has(name)) return hiddenBytes;
  return copy(value, place);
}

function placeOf(name: string, outer: Place): Place {
  if (outer === 'secret' || sensitive.has(name) || (outer === 'service' && headerValues.has(name))) return 'secret';
  return services.has(name) ? 'service' : outer;
}

/** An `Any` whose bytes stand there as base64; text of Google's own types stands in the same place. */
function isUnknownAny(value: object): boolean {
  const { '@type': type, value: content } = value as { readonly '@type'?: unknown; readonly value?: unknown };
  return typeof type === 'string' && typeof content === 'string' && !type.includes('/google.protobuf.');
}

function protoName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
