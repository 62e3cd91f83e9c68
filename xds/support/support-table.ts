// The shape of the support tables: one row per field of every Envoy message that is read.
//
// A field that is set and has no row here would be skipped in silence, so none may lack one: `message-check.ts` refuses
// by these rows, `docs/envoy-support.md` is printed from them, and a test compares them with the message descriptors.
// The tables are plain data without imports because the generator of the descriptors reads them too: a message is
// generated when it has a table.

/** What is done with each field of one message. Fields are spelled as in the proto file. */
export interface MessageSupport {
  /** Carried into the domain types. */
  readonly supported: readonly string[];
  /** Accepted without effect, with the reason why no behaviour is lost. */
  readonly ignored?: { readonly [field: string]: string };
  /** Refused when set, with the reason or what to write instead. */
  readonly unsupported?: { readonly [field: string]: string | Refusal };
}

/** A field whose listed values change nothing; any other value is refused. */
export interface Refusal {
  readonly unless: readonly (string | number | boolean)[];
  readonly why: string;
}

/** Tables by full message name, such as `envoy.config.cluster.v3.Cluster`. */
export interface SupportTable {
  readonly [messageName: string]: MessageSupport;
}
