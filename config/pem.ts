// PEM (RFC 7468) of DER: keys and certificates as files, Istio's CA and Envoy's headers have them.

/** Lines of 64 characters, each with its end. `label`: `CERTIFICATE`, `PRIVATE KEY`. */
export function pemOf(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64');
  return `-----BEGIN ${label}-----\n${base64.replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}
