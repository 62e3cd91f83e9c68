// The load generator accepts exactly the expected response.
import t from 'tap';
import { ResponseReader } from '../../../bench/load/response-reader.ts';

const GOOD = 'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 4\r\n\r\nbody';

function readAll(text: string): { problem: string; complete: boolean } {
  const reader = new ResponseReader('body');
  const problem = reader.read(Buffer.from(text, 'latin1'));
  return { problem, complete: reader.complete };
}

t.test('the expected response is complete', async (t) => {
  t.same(readAll(GOOD), { problem: '', complete: true });
});

t.test('the expected response is complete at whatever byte it is split', async (t) => {
  for (let at = 1; at < GOOD.length; at += 1) {
    const reader = new ResponseReader('body');
    t.equal(reader.read(Buffer.from(GOOD.slice(0, at))), '');
    t.notOk(reader.complete);
    t.equal(reader.read(Buffer.from(GOOD.slice(at))), '');
    t.ok(reader.complete);
  }
});

t.test('wrong answers are named', async (t) => {
  t.match(readAll(GOOD.replace('200 OK', '503 No')).problem, 'not a 200: HTTP/1.1 503 No');
  t.match(readAll(GOOD.replace('body', 'bodx')).problem, 'the body differs');
  t.match(readAll(GOOD.replace(': 4', ': 5')).problem, 'content-length is 5');
  t.match(readAll(GOOD.replace('Content-Length: 4\r\n', '')).problem, 'content-length is missing');
  t.match(readAll(`${GOOD}x`).problem, 'bytes after the response');
  t.match(readAll(`HTTP/1.1 200 OK\r\n${'x'.repeat(20_000)}`).problem, 'the response head does not end');
});

t.test('a second response is read after a reset', async (t) => {
  const reader = new ResponseReader('body');
  reader.read(Buffer.from(GOOD));
  reader.reset();
  t.equal(reader.read(Buffer.from(GOOD)), '');
  t.ok(reader.complete);
});
