import t from 'tap';
import type { LocalReplyConfig } from '../../../config/http-connection-manager.ts';
import { compileLocalReplyMapping } from '../../../proxy/http/local-reply-mapper.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { addition, request, response } from '../../support/route-fixtures.ts';

const environment = { random: () => 0.5, runtime: new Map() };

function applied(config: LocalReplyConfig, flags = 0) {
  const head = response(503);
  const info = new StreamInfo();
  info.responseCode = 503;
  info.responseFlags = flags;
  const draft = { body: 'body', contentType: 'text/plain' };
  compileLocalReplyMapping(config, environment)!.apply(head, draft, {
    info,
    request: request(),
    response: head,
    responseTrailers: null,
    localReplyBody: '',
  });
  return { head, draft, info };
}

t.test('a configuration that changes nothing compiles to nothing', async (t) => {
  t.equal(compileLocalReplyMapping({ mappers: [] }, environment), null);
});

t.test('mappers choose by flag and by header as well as by status', async (t) => {
  const byFlag: LocalReplyConfig = {
    mappers: [{ filter: { kind: 'response-flag', flags: ['UH'] }, status: 404, headersToAdd: [] }],
  };
  t.equal(applied(byFlag, ResponseFlag.noHealthyUpstream).head.status, 404);
  t.equal(applied(byFlag, ResponseFlag.upstreamOverflow).head.status, 503);
  const byHost: LocalReplyConfig = {
    mappers: [
      {
        filter: {
          kind: 'header',
          matcher: {
            name: 'host',
            match: { kind: 'present', present: true },
            invert: false,
            treatMissingAsEmpty: false,
          },
        },
        body: '',
        headersToAdd: [addition('x-a', '1')],
      },
    ],
  };
  const { draft, head } = applied(byHost);
  t.same(draft, { body: '', contentType: 'text/plain' });
  t.equal(head.headers.value(0), '1');
});

t.test('JSON formats keep the types of their values', async (t) => {
  const fields = { code: '%RESPONSE_CODE%', body: '%LOCAL_REPLY_BODY%' };
  const { draft } = applied({
    mappers: [],
    bodyFormat: {
      format: { kind: 'json', fields, omitEmptyValues: false, sortProperties: true },
      contentType: 'application/json',
    },
  });
  t.same(draft, { body: '{"body":"body","code":503}\n', contentType: 'application/json' });
});

t.test('a content type ends no field', async (t) => {
  const format = { kind: 'text', format: 'a', omitEmptyValues: false } as const;
  const { draft } = applied({ mappers: [], bodyFormat: { format, contentType: 'a/b\r\nset-cookie: c' } });
  t.equal(draft.contentType, 'a/b\\x0d\\x0aset-cookie: c');
});
