// The `trace_state` of an exported span: what the head decided is replaced by the threshold that the span finally passed.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/

/** Of the value of the `ot` member. */
const longestOt = 256;

/**
 * `th` as it is written, zeros cut; null when it is not known, which must not be said by any number. `ot` has the other keys
 * of the member, `others` the other members. Our member comes first, because it was changed last.
 */
export function traceStateText(th: string | null, ot: string, others: string): string {
  const member = otMember(th, ot);
  return member === '' || others === '' ? `${member}${others}` : `${member},${others}`;
}

function otMember(th: string | null, ot: string): string {
  if (th === null) return ot === '' ? '' : `ot=${ot}`;
  const whole = ot === '' ? `th:${th}` : `th:${th};${ot}`;
  if (whole.length <= longestOt) return `ot=${whole}`;
  // The random value belongs to the threshold; what else there is has to go.
  const rv = ot.split(';').find((pair) => pair.startsWith('rv:'));
  return rv === undefined ? `ot=th:${th}` : `ot=th:${th};${rv}`;
}
