import { STATUS_CODES } from 'node:http';
import t from 'tap';
import { responseLine, standardReason } from '../../../../proxy/http/http1/reason-phrase.ts';

/** Where RFC 9110 gave another name than Node has, or Node lists what is no standard. */
const named: Readonly<Record<number, string>> = { 413: 'Payload Too Large', 418: 'Unknown', 509: 'Unknown' };

t.test('every registered status has its phrase, every other one has none', async (t) => {
  for (let status = 100; status < 1000; status++) {
    const phrase = named[status] ?? STATUS_CODES[status] ?? 'Unknown';
    t.equal(standardReason(status), phrase, String(status));
    t.equal(Buffer.from(responseLine(status)).latin1Slice(), `HTTP/1.1 ${status} ${phrase}\r\n`);
  }
  t.equal(standardReason(1000), 'Unknown');
});
