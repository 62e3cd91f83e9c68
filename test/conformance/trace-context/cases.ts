// The cases of the W3C conformance suite that are one request each, levels 1 and 2, strict, under the names they have there.
// https://github.com/w3c/trace-context/blob/main/test/test.py

export const traceId = '12345678901234567890123456789012';
export const parentId = '1234567890123456';
const ids = `${traceId}-${parentId}`;
/** A right field, on which a case builds. */
const rightParent = `traceparent: 00-${ids}-00`;

export interface TraceContextCase {
  readonly name: string;
  /** Header lines of the request. */
  readonly lines: readonly string[];
  /** Whether the next hop gets the trace that arrived, or a new one. */
  readonly isContinued: boolean;
  /** What the next hop gets in tracestate, in order; where members are doubled, the first of them. */
  readonly members: readonly string[];
}

/** Name → values of `traceparent` that are right, and continue the trace. */
const right: Readonly<Record<string, readonly string[]>> = {
  traceparent_included_tracestate_missing: [`00-${ids}-01`],
  traceparent_version_0xcc: [`cc-${ids}-01`, `cc-${ids}-01-what-the-future-will-be-like`],
  traceparent_ows_handling: [
    ` 00-${ids}-01`,
    `\t00-${ids}-01`,
    `00-${ids}-01 `,
    `00-${ids}-01\t`,
    `\t 00-${ids}-01 \t`,
  ],
};

/** Likewise values that are wrong: a new trace begins. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  traceparent_version_0x00: [`00-${ids}-01.`, `00-${ids}-01-what-the-future-will-be-like`],
  traceparent_version_0xcc: [`cc-${ids}-01.what-the-future-will-be-like`],
  traceparent_version_0xff: [`ff-${ids}-01`],
  traceparent_version_illegal_characters: [`.0-${ids}-01`, `0.-${ids}-01`],
  traceparent_version_too_long: [`000-${ids}-01`, `0000-${ids}-01`],
  traceparent_version_too_short: [`0-${ids}-01`],
  traceparent_trace_id_all_zero: [`00-${'0'.repeat(32)}-${parentId}-01`],
  traceparent_trace_id_illegal_characters: [
    `00-.${traceId.slice(1)}-${parentId}-01`,
    `00-${traceId.slice(0, -1)}.-${parentId}-01`,
  ],
  traceparent_trace_id_too_long: [`00-${traceId}3-${parentId}-01`],
  traceparent_trace_id_too_short: [`00-${traceId.slice(0, -1)}-${parentId}-01`],
  traceparent_parent_id_all_zero: [`00-${traceId}-${'0'.repeat(16)}-01`],
  traceparent_parent_id_illegal_characters: [
    `00-${traceId}-.${parentId.slice(1)}-01`,
    `00-${traceId}-${parentId.slice(0, -1)}.-01`,
  ],
  traceparent_parent_id_too_long: [`00-${ids}7-01`],
  traceparent_parent_id_too_short: [`00-${ids.slice(0, -1)}-01`],
  traceparent_trace_flags_illegal_characters: [`00-${ids}-.0`, `00-${ids}-0.`],
  traceparent_trace_flags_too_long: [`00-${ids}-001`],
  traceparent_trace_flags_too_short: [`00-${ids}-1`],
};

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(2, '0'))
    .map((number) => `bar${number}=${number}`)
    .join(',');

const allCharacters = Array.from({ length: 0x7e - 0x20 + 1 }, (_, index) => String.fromCharCode(0x20 + index))
  .filter((character) => character !== ',' && character !== '=')
  .join('');
const keyCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/';
const longKeys = [
  'z'.repeat(256),
  `${'t'.repeat(241)}@${'v'.repeat(14)}`,
  `${'t'.repeat(242)}@v`,
  `t@${'v'.repeat(15)}`,
];
const thirty = [numbered(1, 10), numbered(11, 20), numbered(21, 30)];

/** Name → lists of values of `tracestate` beside a right `traceparent`, and what becomes of each. */
const lists: Readonly<Record<string, readonly (readonly [values: readonly string[], members: readonly string[]])[]>> = {
  tracestate_included_traceparent_included: [[['foo=1,bar=2'], ['foo=1', 'bar=2']]],
  tracestate_empty_header: [
    [[''], []],
    [['foo=1', ''], ['foo=1']],
    [['', 'foo=1'], ['foo=1']],
  ],
  tracestate_multiple_headers_different_keys: [
    [
      ['foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'],
      ['foo=1', 'bar=2', 'rojo=1', 'congo=2', 'baz=3'],
    ],
  ],
  tracestate_duplicated_keys: [['foo=1,foo=1'], ['foo=1,foo=2'], ['foo=1', 'foo=1'], ['foo=1', 'foo=2']].map(
    (values) => [values, ['foo=1']] as const,
  ),
  tracestate_all_allowed_characters: [keyCharacters, `${keyCharacters}@a-z0-9_-*/`].map(
    (key) => [[`${key}=${allCharacters}`], [`${key}=${allCharacters}`]] as const,
  ),
  tracestate_ows_handling: [
    [['foo=1 \t , \t bar=2, \t baz=3'], ['foo=1', 'bar=2', 'baz=3']],
    [['foo=1\t \t,\t \tbar=2,\t \tbaz=3'], ['foo=1', 'bar=2', 'baz=3']],
    ...[' foo=1', '\tfoo=1', 'foo=1 ', 'foo=1\t', '\t foo=1 \t'].map((value) => [[value], ['foo=1']] as const),
  ],
  tracestate_key_illegal_characters: ['foo =1', 'FOO=1', 'foo.bar=1'].map((value) => [[value], []] as const),
  tracestate_key_illegal_vendor_format: [
    [['@foo=1,bar=2'], []],
    ...['foo@', 'foo@@bar', 'foo@bar@baz'].map((key) => [[`${key}=1,bar=2`], [`${key}=1`, 'bar=2']] as const),
  ],
  tracestate_member_count_limit: [
    [[...thirty, numbered(31, 32)], numbered(1, 32).split(',')],
    [[...thirty, numbered(31, 33)], []],
  ],
  tracestate_key_length_limit: [
    ...longKeys.map(
      (key) =>
        [
          ['foo=1', `${key}=1`],
          ['foo=1', `${key}=1`],
        ] as const,
    ),
    [['foo=1', `${'z'.repeat(257)}=1`], []],
  ],
  tracestate_value_illegal_characters: [
    [['foo=bar=baz'], []],
    [['foo=,bar=3'], []],
  ],
};

const named: readonly TraceContextCase[] = [
  { name: 'both_traceparent_and_tracestate_missing', lines: [], isContinued: false, members: [] },
  {
    name: 'traceparent_duplicated',
    lines: [`traceparent: 00-${ids.replace('2-', '1-')}-01`, `traceparent: 00-${ids}-01`],
    isContinued: false,
    members: [],
  },
  ...['trace-parent', 'trace.parent'].map((name) => ({
    name: 'traceparent_header_name',
    lines: [`${name}: 00-${ids}-01`],
    isContinued: false,
    members: [],
  })),
  ...['TraceParent', 'TrAcEpArEnT', 'TRACEPARENT'].map((name) => ({
    name: 'traceparent_header_name_valid_casing',
    lines: [`${name}: 00-${ids}-01`],
    isContinued: true,
    members: [],
  })),
  ...['foo=1', 'foo=1,bar=2'].map((value) => ({
    name: 'tracestate_included_traceparent_missing',
    lines: [`tracestate: ${value}`],
    isContinued: false,
    members: [],
  })),
  ...['trace-state', 'trace.state'].map((name) => ({
    name: 'tracestate_header_name',
    lines: [rightParent, `${name}: foo=1`],
    isContinued: true,
    members: [],
  })),
  ...['TraceState', 'TrAcEsTaTe', 'TRACESTATE'].map((name) => ({
    name: 'tracestate_header_name_valid_casing',
    lines: [rightParent, `${name}: foo=1`],
    isContinued: true,
    members: ['foo=1'],
  })),
];

export const cases: readonly TraceContextCase[] = [
  ...named,
  ...Object.entries(right).flatMap(([name, values]) =>
    values.map((value) => ({ name, lines: [`traceparent: ${value}`], isContinued: true, members: [] })),
  ),
  // With a tracestate, which must go with its parent.
  ...Object.entries(wrong).flatMap(([name, values]) =>
    values.map((value) => ({
      name,
      lines: [`traceparent: ${value}`, 'tracestate: foo=1'],
      isContinued: false,
      members: [],
    })),
  ),
  ...Object.entries(lists).flatMap(([name, rows]) =>
    rows.map(([values, members]) => ({
      name,
      lines: [rightParent, ...values.map((value) => `tracestate: ${value}`)],
      isContinued: true,
      members,
    })),
  ),
];
