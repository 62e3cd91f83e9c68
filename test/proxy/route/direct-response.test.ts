import t from 'tap';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { CompiledDirectResponse } from '../../../proxy/route/direct-response.ts';
import { request } from '../../support/route-fixtures.ts';

const bytes = Buffer.from('\xff\x00tea', 'latin1');
const action = { kind: 'direct-response', status: 418, body: bytes } as const;
const format = (text: string) => ({ kind: 'text', format: text, omitEmptyValues: false }) as const;
const head = request({ headers: [['x-a', 'one']] });

t.test('a body is sent as it is', async (t) => {
  const plain = new CompiledDirectResponse(action);
  t.equal(plain.body(head, new StreamInfo()), bytes);
  t.match(plain, { status: 418, contentType: '' });
});

t.test('a format makes a body of it, before anything is known of the response', async (t) => {
  const bodyFormat = {
    format: format('<%LOCAL_REPLY_BODY%> %REQ(x-a)% \u00e9 %RESPONSE_CODE% %RESP(x)%'),
    contentType: 'a/b',
  };
  const made = new CompiledDirectResponse({ ...action, bodyFormat });
  t.equal(made.contentType, 'a/b');
  t.equal(
    Buffer.from(made.body(head, new StreamInfo())).latin1Slice(),
    '<\xff\x00tea> one \xc3\xa9 0 -',
    'its bytes stay what they are',
  );
});

t.test('a content type ends no field', async (t) => {
  const bodyFormat = { format: format('a'), contentType: 'a/b\r\nset-cookie: \u00e9' };
  t.equal(new CompiledDirectResponse({ ...action, bodyFormat }).contentType, 'a/b\\x0d\\x0aset-cookie: \xc3\xa9');
});
