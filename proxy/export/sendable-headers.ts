// Which headers can be sent to a collector. Files and variables of the environment put anything into them, and libraries
// throw where a header is none, with each request.

export type Headers = readonly (readonly [name: string, value: string])[];

/** The others are named by `onWarning`, without their values: those are secrets often. */
export function sendableHeaders(
  headers: Headers,
  protocol: 'grpc' | 'http',
  onWarning: (text: string) => void,
): Headers {
  const { name, value } = forms[protocol];
  return headers.filter(([key, text]) => {
    const isSendable = name.test(key) && value.test(text);
    if (!isSendable) onWarning(`header ${JSON.stringify(key)} cannot be sent to a collector`);
    return isSendable;
  });
}

/** RFC 9110, sections 5.1 and 5.5, without bytes above ASCII; gRPC takes less (PROTOCOL-HTTP2.md, "Custom-Metadata"). */
const forms = {
  http: { name: /^[!#$%&'*+.^_`|~0-9a-z-]+$/, value: /^[\t\x20-\x7e]*$/ },
  grpc: { name: /^[0-9a-z_.-]+$/, value: /^[\x20-\x7e]*$/ },
} as const;
