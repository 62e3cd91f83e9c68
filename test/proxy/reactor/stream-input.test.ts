import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { connectedStreams, startReactor, turns } from '../../support/reactor-fixtures.ts';

t.test('bytes that were not consumed are offered again in front of the next', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  const offered: string[] = [];
  accepted.consume = (text) => {
    offered.push(text);
    return text.endsWith('.') ? text.length : 0;
  };
  for (const part of ['one', ' two', ' three.']) {
    const next = accepted.next('data');
    client.write(part);
    await next;
  }
  t.same(offered, ['one', 'one two', 'one two three.']);
  t.equal(accepted.text, 'one two three.');
});

t.test('a handler that consumes byte by byte gets every byte once', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  const sent = Array.from({ length: 5000 }, (_, index) => String.fromCharCode(32 + (index % 90))).join('');
  accepted.consume = () => 1;
  accepted.onEvent = () => accepted.stream.resumeReading();
  client.write(sent);
  await accepted.received(sent.length);
  t.equal(accepted.text, sent);
});

t.test('a paused stream keeps what it has and offers it when resumed', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => {
    accepted.stream.pauseReading();
    return 1;
  };
  client.write('abc');
  await accepted.saw('data');
  client.write('def');
  await turns(reactor);
  t.equal(accepted.text, 'a');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  t.equal(accepted.text, 'a', 'not from inside the call');
  t.equal(await accepted.received(6), 'abcdef');
});

t.test('the end of a paused stream comes after the bytes before it', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.stream.pauseReading();
  client.write('last words');
  client.stream.endWriting();
  await turns(reactor);
  t.same(accepted.events, []);
  accepted.stream.resumeReading();
  await accepted.saw('end');
  t.same(accepted.events, ['data 10', 'end']);
});

t.test('the end of a paused stream with nothing before it is noticed at once', async (t) => {
  const [client, accepted] = await connectedStreams(t, startReactor(t));
  accepted.stream.pauseReading();
  client.stream.endWriting();
  await accepted.saw('end');
  t.same(accepted.events, ['end']);
});

t.test('bytes kept by a pause inside of onData are offered before the end', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => {
    accepted.stream.pauseReading();
    return 0;
  };
  client.write('kept');
  client.stream.endWriting();
  await accepted.saw('data');
  await turns(reactor);
  t.same(accepted.events, ['data 4'], 'no end yet');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  await accepted.saw('end');
  t.equal(accepted.text, 'kept');
});

t.test('a handler that closes inside of onData keeps its bytes until it returns', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => 0;
  client.write('first,');
  await accepted.saw('data');
  let seen = '';
  accepted.consume = (text) => {
    accepted.stream.close();
    // Takes buffers from the pool that the kept bytes would go back to.
    client.write('z'.repeat(4_000_000));
    seen = text;
    return text.length;
  };
  client.write('second');
  await accepted.saw('closed');
  t.equal(seen, 'first,second');
});

t.test('a reader that consumes nothing is not read from beyond the bound', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  accepted.consume = () => 0;
  client.write('b'.repeat(12_000_000));
  await turns(reactor, 20);
  t.equal(accepted.stream.bytesReceived, 128 * 1024);
  const before = accepted.events.length;
  await turns(reactor, 5);
  t.equal(accepted.events.length, before, 'and is not offered the same again');
  accepted.consume = undefined;
  accepted.stream.resumeReading();
  t.equal((await accepted.received(12_000_000)).length, 12_000_000);
});

t.test('input is seen by a look that takes nothing', async (t) => {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  t.notOk(client.stream.hasInput());
  client.stream.pauseReading();
  accepted.write('unexpected');
  t.ok(client.stream.hasInput());
  client.stream.resumeReading();
  t.equal(await client.received(10), 'unexpected');
  accepted.stream.reset();
  t.ok(client.stream.hasInput());
  await client.saw('closed');
  t.same(client.events.at(-1), `closed error ${Errno.ECONNRESET}`);
});
