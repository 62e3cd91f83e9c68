import t from 'tap';
import { headerOperators } from '../../../proxy/format/header-operators.ts';
import { headerName } from '../../../proxy/http/header-name.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';
import { request, response } from '../../support/route-fixtures.ts';

function operate(name: string, argument: string | null = null, context = finishedRequest()) {
  return headerOperators[name]!({ name, argument, maxLength: null })(context);
}

t.test('of several fields the first is written, of a well-known name all', async (t) => {
  const context = finishedRequest();
  context.request = request({
    headers: [
      ['X-A', '1'],
      ['x-a', '2'],
      ['X-Forwarded-For', '10.0.0.1'],
      ['x-forwarded-for', '10.0.0.2'],
    ],
  });
  t.equal(operate('REQ', 'x-a', context), '1');
  t.equal(operate('REQ', 'X-Forwarded-For', context), '10.0.0.1,10.0.0.2');
});

t.test('the alternative speaks when the first is missing', async (t) => {
  t.equal(operate('REQ', 'x-no?:METHOD'), 'POST');
  t.equal(operate('REQ', 'x-no?x-never'), null);
  t.equal(operate('RESP', 'x-no?server'), 'origin');
  const context = finishedRequest();
  context.responseTrailers = new HeaderTable();
  context.responseTrailers.append('X-Sum', 'abc');
  t.equal(operate('TRAILER', 'x-no?x-sum', context), 'abc');
});

t.test('a connection without messages has nothing to say', async (t) => {
  const context = { ...finishedRequest(), request: null, response: null };
  for (const name of ['REQ', 'RESP', 'TRAILER']) t.equal(operate(name, 'a?b', context), null, name);
  t.equal(operate('GRPC_STATUS_NUMBER', null, context), null);
});

t.test('the gRPC status comes from the trailers, or from the head', async (t) => {
  const context = finishedRequest();
  context.response = response(200, [['grpc-status', '5']]);
  t.equal(operate('GRPC_STATUS', null, context), 'NotFound');
  t.equal(operate('GRPC_STATUS', 'SNAKE_STRING', context), 'NOT_FOUND');
  t.equal(operate('GRPC_STATUS_NUMBER', null, context), 5);
  const trailers = new HeaderTable();
  trailers.append('grpc-status', '0');
  context.responseTrailers = trailers;
  t.equal(operate('GRPC_STATUS', null, context), 'OK');
  t.equal(operate('GRPC_STATUS', 'NUMBER', context), 0);
  for (const [value, expected] of [
    ['99', '99'],
    ['x', 'NotFound'],
    ['', 'NotFound'],
  ] as const) {
    trailers.set(headerName('grpc-status'), value);
    t.equal(operate('GRPC_STATUS', null, context), expected, value);
  }
});
