import fc from 'fast-check';
import t from 'tap';
import {
  isScalarMessage,
  meantDuration,
  readScalar,
  scalarExpectation,
} from '../../../xds/message/proto-json-scalar.ts';

const duration = 'google.protobuf.Duration';

t.test('scalars are read by the rules of proto3 JSON', async (t) => {
  const rows: readonly [type: string, json: unknown, value: unknown][] = [
    ['string', 'a', 'a'],
    ['string', 5, undefined],
    ['bool', true, true],
    ['bool', 'maybe', undefined],
    ['bool', 1, undefined],
    ['uint32', 5, 5],
    ['uint32', '5', 5],
    ['uint32', 5.5, undefined],
    ['uint32', -1, undefined],
    ['uint32', 2 ** 32, undefined],
    ['uint32', '0x5', undefined],
    ['int32', -(2 ** 31), -(2 ** 31)],
    ['int32', 2 ** 31, undefined],
    ['int64', '-9223372036854775808', -(2 ** 63)],
    ['int64', '9223372036854775807', 2 ** 63],
    ['uint64', '18446744073709551616000', undefined],
    ['uint64', -1, undefined],
    ['double', '1.5e3', 1500],
    ['double', 'NaN', Number.NaN],
    ['double', '-Infinity', Number.NEGATIVE_INFINITY],
    ['double', 'one', undefined],
    ['google.protobuf.UInt32Value', '7', 7],
    ['google.protobuf.BoolValue', false, false],
    ['google.protobuf.StringValue', '', ''],
    [duration, '1.5s', 1500],
    [duration, '0s', 0],
    [duration, '-0.001s', -1],
    [duration, '0.000000001s', 1e-6],
    [duration, '1.0000000001s', undefined],
    [duration, '5', undefined],
    [duration, '5ms', undefined],
    [duration, 5, undefined],
    [duration, '315576000001s', undefined],
    ['google.protobuf.Timestamp', '1970-01-01T00:00:01.5Z', 1500],
    ['google.protobuf.Timestamp', '1970-01-01', undefined],
    ['google.protobuf.Timestamp', '1970-13-01T00:00:00Z', undefined],
    ['bytes', 'not base64!', undefined],
  ];
  for (const [type, json, value] of rows) t.same(readScalar(type, json), value, `${type} ${JSON.stringify(json)}`);
});

t.test('what protobuf and YAML 1.1 take beyond the rules is taken', async (t) => {
  const rows: readonly [type: string, json: unknown, value: unknown][] = [
    ['bool', 'true', true],
    ['bool', 'Off', false],
    ['google.protobuf.BoolValue', 'yes', true],
    ['uint32', '1.0', 1],
    ['uint32', '1e3', 1000],
    ['google.protobuf.UInt32Value', { value: '7' }, 7],
    ['google.protobuf.UInt32Value', {}, 0],
    ['google.protobuf.UInt32Value', { value: 7, more: 1 }, undefined],
    ['google.protobuf.UInt32Value', { value: { value: 7 } }, undefined],
    ['google.protobuf.UInt32Value', [7], undefined],
    ['uint32', { value: 7 }, undefined],
    [duration, { seconds: '2', nanos: 500_000_000 }, 2500],
    [duration, {}, 0],
    [duration, { seconds: 1.5 }, undefined],
    [duration, { minutes: 1 }, undefined],
  ];
  for (const [type, json, value] of rows) t.same(readScalar(type, json), value, `${type} ${JSON.stringify(json)}`);
});

t.test('bytes are base64 in both alphabets', async (t) => {
  t.same(readScalar('bytes', '-_8='), Uint8Array.of(0xfb, 0xff));
  t.same(readScalar('bytes', '+/8'), Uint8Array.of(0xfb, 0xff));
  t.same(readScalar('google.protobuf.BytesValue', ''), Uint8Array.of());
});

t.test('a duration is the same in milliseconds as in its text', async () => {
  const seconds = fc.nat(1_000_000);
  const millis = fc.nat(999);
  fc.assert(
    fc.property(
      seconds,
      millis,
      (s, ms) => readScalar(duration, `${s}.${String(ms).padStart(3, '0')}s`) === s * 1000 + ms,
    ),
  );
});

t.test('what is expected is said in the terms of the file', async (t) => {
  t.match(scalarExpectation(duration), /1\.5s/);
  t.match(scalarExpectation('string'), /quotes/);
  t.equal(scalarExpectation('int64'), 'a whole number');
});

t.test('wrappers and instants are scalars that keep their presence, other messages are not', async (t) => {
  t.ok(isScalarMessage('google.protobuf.UInt64Value'));
  t.ok(isScalarMessage(duration));
  t.notOk(isScalarMessage('uint64'));
  t.notOk(isScalarMessage('google.protobuf.Struct'));
  t.notOk(isScalarMessage('envoy.config.core.v3.Node'));
});

t.test('what duration was meant', async (t) => {
  const rows: readonly [json: unknown, meant: string | undefined][] = [
    [30, '30s'],
    ['30', '30s'],
    ['250ms', '0.25s'],
    ['1.5m', '90s'],
    ['2h', '7200s'],
    ['soon', undefined],
    [-1, undefined],
    [{}, undefined],
  ];
  for (const [json, meant] of rows) t.equal(meantDuration(json), meant, String(json));
});
