import t from 'tap';
import { compileFormat } from '../../../proxy/format/format.ts';
import { sharedContext } from '../../../proxy/format/shared-context.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { CompiledDirectResponse } from '../../../proxy/route/direct-response.ts';
import { request } from '../../support/route-fixtures.ts';

t.test('the body of one reply is not told to the next request', async (t) => {
  const format = { kind: 'text', format: '<%LOCAL_REPLY_BODY%>', omitEmptyValues: false } as const;
  const body = Buffer.from('for one client\r\n');
  const action = { kind: 'direct-response', status: 200, body, bodyFormat: { format, contentType: '' } } as const;
  const reply = new CompiledDirectResponse(action).body(request(), new StreamInfo());
  t.equal(Buffer.from(reply).latin1Slice(), '<for one client\r\n>');
  const next = sharedContext(new StreamInfo(), request(), null);
  t.equal(compileFormat('<%LOCAL_REPLY_BODY%>').write(next), '<>');
});
