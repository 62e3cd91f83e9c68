// Optional properties of domain types are left out when they are not given (`exactOptionalPropertyTypes`).

/** `{ [key]: value }`, or nothing when the value is undefined. For spreading into an object literal. */
export function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });
}
