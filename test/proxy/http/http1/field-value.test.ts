import t from 'tap';
import {
  ConnectionOption,
  connectionOptions,
  decimalValue,
  firstListItem,
  hasLeadingZero,
  keepAliveTimeoutMs,
} from '../../../../proxy/http/http1/field-value.ts';
import { tableOf } from '../../../support/header-lines.ts';

t.test('a decimal value is digits and nothing else, up to 2^53 - 1', async (t) => {
  const values: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', -1],
    ['99999999999999999999999', -1],
    ['', -1],
    ['+1', -1],
    ['1 2', -1],
    ['1e3', -1],
    ['0x10', -1],
  ];
  for (const [text, value] of values) t.equal(decimalValue(tableOf(`X: ${text}`), 0), value, text);
});

t.test('a leading zero is one that the number does not need', async (t) => {
  for (const [text, has] of [
    ['0', false],
    ['00', true],
    ['03', true],
    ['30', false],
  ] as const) {
    t.equal(hasLeadingZero(tableOf(`X: ${text}`), 0), has, text);
  }
});

t.test('options of Connection are found in any case, between any commas', async (t) => {
  const { close, keepAlive, upgrade, http2Settings, te, other } = ConnectionOption;
  const lists: readonly (readonly [string, number])[] = [
    ['close', close],
    [', ,Keep-Alive ,\tUPGRADE,', keepAlive | upgrade],
    ['HTTP2-Settings, te', http2Settings | te],
    ['x-one, closed, clos', other],
    ['', 0],
  ];
  for (const [text, bits] of lists) t.equal(connectionOptions(tableOf(`Connection: ${text}`), 0), bits, text);
});

t.test('the first item of a list, in lower case', async (t) => {
  t.equal(firstListItem(tableOf('Upgrade: , WebSocket , h2c'), 0), 'websocket');
  t.equal(firstListItem(tableOf('Upgrade: ,'), 0), '');
});

t.test('the timeout of Keep-Alive', async (t) => {
  t.equal(keepAliveTimeoutMs(tableOf('Keep-Alive: max=3, Timeout=15'), 0), 15_000);
  t.equal(keepAliveTimeoutMs(tableOf('Keep-Alive: timeout=1x'), 0), 0);
  t.equal(keepAliveTimeoutMs(tableOf('Keep-Alive: 15'), 0), 0);
});
