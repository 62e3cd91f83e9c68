import t from 'tap';
import { hexDigit } from '../../../proxy/http/hex-digit.ts';

t.test('digits have their value in either case, and no other character has one', async (t) => {
  for (let code = 0; code < 0x10000; code++) {
    const text = String.fromCharCode(code);
    const value = /^[0-9a-fA-F]$/.test(text) ? Number.parseInt(text, 16) : -1;
    if (hexDigit(code) !== value) t.fail(`${code} is ${hexDigit(code)}`);
  }
  t.equal(hexDigit(Number.NaN), -1, 'nor has what is behind the end of a text');
});
