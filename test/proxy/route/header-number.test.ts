import t from 'tap';
import { remainderOf, unsignedDigits } from '../../../proxy/route/header-number.ts';

t.test('whole numbers of 64 bits are read, and nothing else', async (t) => {
  for (const [text, digits] of [
    ['0', '0'],
    ['000', '0'],
    ['0120', '120'],
    ['+5', '5'],
    [' 7 ', '7'],
    ['18446744073709551615', '18446744073709551615'],
    ['00018446744073709551615', '18446744073709551615'],
    ['18446744073709551616', null],
    ['118446744073709551615', null],
    ['', null],
    ['-1', null],
    ['1.5', null],
    ['1s', null],
    ['0x1', null],
    ['+', null],
    ['Wed, 21 Oct 2015 07:28:00 GMT', null],
  ] as const) {
    t.equal(unsignedDigits(text), digits, JSON.stringify(text));
  }
});

t.test('a field as long as a head may be takes no time that grows with its square', async (t) => {
  const started = process.cpuUsage();
  for (const digit of ['0', '1', ' ']) t.equal(unsignedDigits(`${digit.repeat(60_000)}x`), null);
  t.equal(unsignedDigits(`+${'0'.repeat(60_000)}7`), '7');
  const { user } = process.cpuUsage(started);
  t.ok(user < 2_000_000, `${user} us; it was 21 s`);
});

t.test('a remainder is exact where a double would not hold the number', async (t) => {
  for (const text of ['0', '99', '100', '9007199254740993', '18446744073709551615']) {
    for (const divisor of [1, 3, 100, 4_294_967_295]) {
      t.equal(remainderOf(text, divisor), Number(BigInt(text) % BigInt(divisor)), `${text} by ${divisor}`);
    }
  }
  t.equal(remainderOf('a', 100), -1);
  t.equal(remainderOf('18446744073709551616', 100), -1);
});
