import t, { type Test } from 'tap';
import type { UwsResponse } from '../../../../proxy/engine/uws/library.ts';
import { ResponseWriter } from '../../../../proxy/engine/uws/response-writer.ts';
import { BodyFraming, ResponseHead } from '../../../../proxy/http/message.ts';
import { startReactor } from '../../../support/reactor-fixtures.ts';

/** Writes down what it is told, and takes only as much of a body as `room` has. */
class FakeResponse {
  readonly calls: string[] = [];
  room = Number.POSITIVE_INFINITY;
  isCorked = false;
  uncorkedPieces = 0;
  #offset = 0;

  writeStatus(bytes: Uint8Array) {
    this.calls.push(`head ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`);
  }
  writeHeader(name: Uint8Array, value: Uint8Array) {
    this.calls.push(
      `field ${JSON.stringify(`${Buffer.from(name).toString('latin1')}: ${Buffer.from(value).toString('latin1')}`)}`,
    );
  }
  write(bytes: Uint8Array) {
    this.calls.push(`chunk ${Buffer.from(bytes)}`);
    this.room -= bytes.length;
    return this.room >= 0;
  }
  tryEnd(bytes: Uint8Array, total: number): [boolean, boolean] {
    if (!this.isCorked) this.uncorkedPieces++;
    const taken = Math.min(bytes.length, this.room);
    this.calls.push(`piece ${Buffer.from(bytes.subarray(0, taken))} of ${total}`);
    this.room -= taken;
    this.#offset += taken;
    return [taken === bytes.length, this.#offset === total];
  }
  end(bytes?: Uint8Array) {
    this.calls.push(bytes === undefined ? 'end' : `all of it: ${Buffer.from(bytes)}`);
  }
  endWithoutBody(length?: number) {
    this.calls.push(`no body, ${length ?? 'no length'}`);
  }
  getWriteOffset() {
    return this.#offset;
  }
  cork(write: () => void) {
    this.calls.push('cork');
    this.isCorked = true;
    write();
    this.isCorked = false;
  }
}

function begin(t: Test) {
  const reactor = startReactor(t, { onNodeLoop: true });
  const told: string[] = [];
  const owner = {
    onResponseSlow: () => undefined,
    onResponseDrained: () => void told.push('drained'),
    onResponseComplete: () => void told.push('complete'),
  };
  const writer = new ResponseWriter(owner, reactor);
  const response = new FakeResponse();
  const drain = (room: number) => {
    response.room = room;
    writer.onRoom();
  };
  writer.begin(response as unknown as UwsResponse);
  return { reactor, told, writer, response, drain };
}

function headOf(framing: BodyFraming, contentLength = 0, fields: Readonly<Record<string, string>> = {}): ResponseHead {
  const head = new ResponseHead();
  head.status = 200;
  head.framing = framing;
  head.contentLength = contentLength;
  for (const [name, value] of Object.entries(fields)) head.headers.append(name, value);
  return head;
}

t.test('head and body of a small response leave together, without the fields that the library writes', (t) => {
  const { writer, response, told } = begin(t);
  const fields = { Date: 'x', 'X-A': '1', 'Content-Length': '5', Server: 's' };
  const head = headOf(BodyFraming.length, 5, fields);
  writer.head(head, false);
  writer.data(Buffer.from('hello'));
  t.same(told, [], 'not before its end');
  writer.end();
  t.same(response.calls, ['cork', 'head "200 OK\\r\\nX-A: 1\\r\\nServer: s"', 'all of it: hello']);
  t.same(told, ['complete']);
  t.equal(head.headers.encodedLength > 40, true, 'the log still sees them');
  t.end();
});

t.test('what the client does not take waits, and the end with it', (t) => {
  const { writer, response, told, drain } = begin(t);
  response.room = 3;
  writer.head(headOf(BodyFraming.length, 10), false);
  writer.data(Buffer.from('01234'));
  t.equal(writer.isBlocked, true);
  writer.data(Buffer.from('567'));
  drain(2);
  t.same(told, [], 'more is still to be written');
  drain(9);
  t.same(told, ['drained']);
  writer.data(Buffer.from('89'));
  writer.end();
  t.equal(
    response.calls
      .filter((call) => call.startsWith('piece'))
      .map((call) => call.split(' ')[1])
      .join(''),
    '0123456789',
  );
  t.same(told, ['drained', 'complete']);
  t.equal(response.uncorkedPieces, 0, 'the library writes a line to the error output for each that is not corked');
  t.end();
});

t.test('a response that ended while bytes waited is complete when they are taken', (t) => {
  const { writer, response, told, drain } = begin(t);
  response.room = 1;
  writer.head(headOf(BodyFraming.length, 3), false);
  writer.data(Buffer.from('ab'));
  writer.data(Buffer.from('c'));
  writer.end();
  t.same(told, []);
  drain(9);
  t.same(told, ['complete']);
  t.end();
});

t.test('chunks: a small response leaves at once, a slow one as it comes', async (t) => {
  const quick = begin(t);
  quick.writer.head(headOf(BodyFraming.untilClose), false);
  quick.writer.data(Buffer.from('abc'));
  quick.writer.end();
  t.same(quick.response.calls, ['cork', 'head "200 OK"', 'chunk abc', 'end']);
  const slow = begin(t);
  slow.reactor.enter();
  slow.writer.head(headOf(BodyFraming.chunked, 0, { 'Transfer-Encoding': 'chunked' }), false);
  slow.writer.data(Buffer.from('abc'));
  slow.reactor.leave();
  t.same(slow.response.calls, ['cork', 'head "200 OK"', 'chunk abc'], 'the turn is over');
  slow.response.room = 1;
  slow.writer.data(Buffer.from('def'));
  t.equal(slow.writer.isBlocked, true);
  slow.drain(9);
  t.same(slow.told, ['drained']);
  slow.writer.end();
  t.same(slow.told, ['drained', 'complete']);
});

t.test('responses without a body report the length they stand for, when there is one', (t) => {
  const answers: readonly (readonly [ResponseHead, boolean, string, string])[] = [
    [headOf(BodyFraming.none, 0, { 'Content-Length': '55' }), true, 'head "200 OK"', 'no body, 55'],
    [headOf(BodyFraming.none), true, 'head "200 OK\\r\\ntransfer-encoding: chunked"', 'no body, no length'],
    [headOf(BodyFraming.length, 7), true, 'head "200 OK"', 'no body, 7'],
    [headOf(BodyFraming.none), false, 'head "200 OK"', 'no body, no length'],
    [headOf(BodyFraming.length, 0), false, 'head "200 OK"', 'no body, 0'],
  ];
  for (const [head, isHead, first, second] of answers) {
    const { writer, response, told } = begin(t);
    writer.head(head, isHead);
    writer.end();
    t.same(response.calls, ['cork', first, second]);
    t.same(told, ['complete']);
  }
  t.end();
});

t.test('nothing is written to a connection that is gone', (t) => {
  const { writer, response, told } = begin(t);
  writer.head(headOf(BodyFraming.length, 3), false);
  writer.forget();
  writer.data(Buffer.from('abc'));
  writer.end();
  t.same([response.calls, told], [[], []]);
  t.end();
});

t.test('a head that may not fit beside the library’s own fields leaves before them, in parts that do', (t) => {
  for (const framing of [BodyFraming.length, BodyFraming.chunked, BodyFraming.none]) {
    const { writer, response, told } = begin(t);
    const [long, longer] = ['x'.repeat(9000), 'y'.repeat(9000)];
    writer.head(headOf(framing, 1, { 'X-A': 'a', 'X-Long': long, 'X-B': 'b', 'X-Longer': longer, 'X-C': 'c' }), false);
    if (framing !== BodyFraming.none) writer.data(Buffer.from('a'));
    writer.end();
    const first = `head "200 OK\\r\\nX-A: a\\r\\nX-Long: ${long}\\r\\nX-B: b"`;
    const second = `field "X-Longer: ${longer}\\r\\nX-C: c"`;
    t.same(response.calls.slice(0, 5), ['cork', first, 'cork', second, 'cork'], `${framing}`);
    t.same(told, ['complete']);
  }
  t.end();
});

t.test('large chunks leave in pieces, of which each fits into the library’s cork with what is in front of it', (t) => {
  const { writer, response } = begin(t);
  const sizes: number[] = [];
  response.cork = (write) => {
    const from = response.calls.length;
    write();
    sizes.push(response.calls.slice(from).join('').length);
  };
  writer.head(headOf(BodyFraming.chunked, 0, { 'X-A': 'a'.repeat(4000) }), false);
  writer.data(Buffer.alloc(10_000, 'b'));
  writer.data(Buffer.alloc(50_000, 'c'));
  writer.end();
  t.ok(
    sizes.every((size) => size < 16 * 1024),
    `${sizes}`,
  );
  const text = response.calls.join('');
  t.equal(text.match(/b/g)?.length, 10_000);
  t.equal(text.replaceAll('chunk', '').match(/c/g)?.length, 50_000);
  t.end();
});

t.test('what a client does not take yet is kept in one buffer of the pool, and given back', (t) => {
  const { writer, response, reactor, drain } = begin(t);
  const pooled = reactor.buffers.take(100);
  reactor.buffers.release(pooled);
  response.room = 4;
  writer.head(headOf(BodyFraming.length, 12), false);
  writer.data(Buffer.from('abcdef'));
  t.equal(pooled.bytes.toString('latin1', 0, 2), 'ef');
  writer.data(Buffer.from('ghijkl'));
  drain(5);
  drain(Number.POSITIVE_INFINITY);
  const pieces = ['piece abcd of 12', 'piece efghi of 12', 'piece jkl of 12'];
  t.same(response.calls.filter((call) => call.startsWith('piece')).slice(-3), pieces);
  t.ok([reactor.buffers.take(100), reactor.buffers.take(100)].includes(pooled));
  const cut = begin(t);
  cut.reactor.buffers.release(pooled);
  cut.response.room = 0;
  cut.writer.head(headOf(BodyFraming.length, 3), false);
  cut.writer.data(Buffer.from('abc'));
  cut.writer.forget();
  t.equal(cut.reactor.buffers.take(100), pooled, 'of a connection that is gone, too');
  t.end();
});
