// The URI of an HTTP service, taken apart as Envoy does: its scheme says nothing, because the cluster knows its transport.

export interface TelemetryUri {
  readonly authority: string;
  /** With its query; `/` when there is none. */
  readonly path: string;
}

/** `http://collector:4318/v1/traces`, or `/v1/traces`, whose authority is the cluster's name. */
export function splitUri(uri: string, cluster: string): TelemetryUri {
  const [, authority = '', path = ''] = /^(?:[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*))?([^#]*)/.exec(uri) ?? [];
  const escaped = path.replace(/[^\x21-\x7e]+/g, percentEncode);
  return { authority: authority || cluster, path: escaped.startsWith('/') ? escaped : `/${escaped}` };
}

/** A request line has no spaces, nor bytes above ASCII. */
function percentEncode(text: string): string {
  return Buffer.from(text).toString('hex').toUpperCase().replace(/../g, '%$&');
}
