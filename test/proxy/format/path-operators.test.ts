import t from 'tap';
import { pathOperators } from '../../../proxy/format/path-operators.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function operate(name: string, argument: string | null, path: string, original?: string) {
  const context = finishedRequest();
  context.request!.path = path;
  if (original !== undefined) context.request!.headers.append('x-envoy-original-path', original);
  return pathOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('the path is the one before it was rewritten, or as asked', async (t) => {
  for (const [argument, expected] of [
    [null, '/old?q'],
    ['NQ', '/old'],
    ['WQ:PATH', '/new?q'],
    ['NQ:PATH', '/new'],
    [':ORIG', '/old?q'],
  ] as const) {
    t.equal(operate('PATH', argument, '/new?q', '/old?q'), expected, String(argument));
  }
  t.equal(operate('PATH', null, '/new?q'), '/new?q');
  t.equal(operate('PATH', 'NQ:ORIG', '/new?q'), null);
});

t.test('a parameter is the first of its name, decoded', async (t) => {
  const path = '/p?a=%41+b&c&a=2&%64=%zz&e=%0a';
  t.equal(operate('QUERY_PARAM', 'a', path), 'A+b');
  t.equal(operate('QUERY_PARAM', 'c', path), '');
  t.equal(operate('QUERY_PARAM', 'd', path), '%zz');
  t.equal(operate('QUERY_PARAM', 'e', path), '\\x0a', 'it cannot end the line');
  t.equal(operate('QUERY_PARAM', 'f', path), null);
  t.equal(operate('QUERY_PARAM', 'a', '/p'), null);
});

t.test('a query is told as it came, or with what can be seen decoded', async (t) => {
  const path = '/p?a=%41%20%0a%C3&b=%zz%';
  t.equal(operate('QUERY_PARAMS', null, path), 'a=%41%20%0a%C3&b=%zz%');
  t.equal(operate('QUERY_PARAMS', 'DECODED', path), 'a=A%20%0a%C3&b=zz');
  t.equal(operate('QUERY_PARAMS', null, '/p?'), '');
  t.equal(operate('QUERY_PARAMS', null, '/p'), null);
});

t.test('REQ_WITHOUT_QUERY cuts what the field holds', async (t) => {
  t.equal(operate('REQ_WITHOUT_QUERY', 'X-ENVOY-ORIGINAL-PATH?:PATH', '/new?q'), '/new');
  t.equal(operate('REQ_WITHOUT_QUERY', 'X-ENVOY-ORIGINAL-PATH?:PATH', '/new?q', '/old?q?r'), '/old');
  t.equal(operate('REQ_WITHOUT_QUERY', 'x-none', '/new?q'), null);
});

t.test('a connection has no path', async (t) => {
  const context = { ...finishedRequest(), request: null };
  for (const name of Object.keys(pathOperators)) {
    t.equal(pathOperators[name]!({ name, argument: 'a', maxLength: null })(context), null, name);
  }
});
