import t from 'tap';
import { ruleViolation } from '../../../xds/message/field-rules.ts';
import type { FieldRules } from '../../../xds/message/message-descriptor.ts';

t.test('values at the edge of a rule are right and those beyond are named', async (t) => {
  const duration = 'google.protobuf.Duration';
  const rows: readonly [value: unknown, type: string, rules: FieldRules, violation: string | undefined][] = [
    [1, 'uint32', { gt: 0 }, undefined],
    [0, 'uint32', { gt: 0 }, 'must be more than 0, got 0'],
    [200, 'uint32', { gte: 200, lt: 600 }, undefined],
    [600, 'uint32', { gte: 200, lt: 600 }, 'must be less than 600, got 600'],
    [199, 'uint32', { gte: 200, lt: 600 }, 'must be at least 200, got 199'],
    [65536, 'uint32', { lte: 65535 }, 'must be at most 65535, got 65536'],
    [Number.NaN, 'double', { gte: 1 }, 'must be at least 1, got NaN'],
    [500, duration, { gt: 1 }, undefined],
    [0.5, duration, { gt: 1 }, 'must be more than 0.001s, got 0.0005s'],
    [-1, duration, {}, 'must not be negative, got -0.001s'],
    ['', 'string', { min_len: 1 }, 'must not be empty'],
    ['', 'string', { well_known_regex: 'HTTP_HEADER_NAME' }, undefined],
    ['😀', 'string', { max_len: 1 }, undefined],
    ['😀😀', 'string', { max_len: 1 }, 'must have at most 1 characters, has 2'],
    ['é', 'string', { max_bytes: 1 }, 'must have at most 1 bytes, has 2'],
    [':path', 'string', { well_known_regex: 'HTTP_HEADER_NAME' }, undefined],
    ['a b', 'string', { well_known_regex: 'HTTP_HEADER_NAME' }, '"a b" is not a header name'],
    ['a\r\nb', 'string', { well_known_regex: 'HTTP_HEADER_VALUE' }, 'must not hold line breaks or zero bytes'],
    ['a b', 'string', { well_known_regex: 'HTTP_HEADER_VALUE' }, undefined],
    ['/a/', 'string', { pattern: '^[^?#]+[^?#/]$' }, '"/a/" does not match ^[^?#]+[^?#/]$'],
    ['x', 'string', { in: ['a', 'b'] }, '"x" is not one of a, b'],
    [[], 'string', { min_items: 2 }, 'must have at least 2 elements, has 0'],
    [[1, 2], 'double', { max_items: 1 }, 'must have at most 1 elements, has 2'],
    [[1, 1], 'double', { unique: true }, 'must not hold an element twice'],
    [false, 'bool', { const: true }, 'must be true'],
    [new Uint8Array(3), 'bytes', { max_len: 2 }, 'must have at most 2 bytes, has 3'],
  ];
  for (const [value, type, rules, violation] of rows) t.equal(ruleViolation(value, type, rules), violation);
});
