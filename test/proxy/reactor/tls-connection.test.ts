// A connection under TLS, ours at both ends: what differs from a plain one, and that the rest does not.

import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { setReceiveBuffer, setSendBuffer } from '../../../native/socket.ts';
import { middlemanTo } from '../../support/middleman.ts';
import { type RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { certified, TLS_VERSIONS, tlsStreams } from '../../support/tls-streams.ts';

const BULK = 8_000_000;
const mesh = certified(t);

for (const version of TLS_VERSIONS) {
  t.test(`${version}: half close works in both directions, and both together close`, async (t) => {
    const [client, accepted] = await tlsStreams(t, startReactor(t), mesh, { version });
    client.write('request');
    client.stream.endWriting();
    await accepted.saw('end');
    t.notOk(accepted.stream.isClosed);
    accepted.write('response');
    accepted.stream.endWriting();
    await Promise.all([client.saw('closed'), accepted.saw('closed')]);
    t.same([accepted.text, client.text], ['request', 'response']);
    t.same(client.events, ['connected', 'data 8', 'end', 'closed remote']);
    t.same(accepted.events, ['connected', 'data 7', 'end', 'closed remote']);
    t.same([client.stream.bytesSent, client.stream.bytesReceived], [7, 8], 'data, and not what encryption adds');
    t.equal(client.stream.isPlain, false);
  });

  t.test(`${version}: bulk goes both ways at once, byte by byte the same, with a pause in the middle`, async (t) => {
    const reactor = startReactor(t);
    const sides = await tlsStreams(t, reactor, mesh, { version });
    const sent = [patterned(BULK, 3), patterned(BULK, 5)] as const;
    sides.forEach((side, index) => {
      let left = 3;
      side.onEvent = (event) => {
        if (!event.startsWith('data') || left-- !== 1) return;
        side.stream.pauseReading();
        void turns(reactor, 5).then(() => side.stream.resumeReading());
      };
      side.write(sent[index]!);
      side.stream.endWriting();
    });
    await Promise.all(sides.map((side) => side.saw('closed')));
    t.ok(sides[0].text === sent[1] && sides[1].text === sent[0]);
    t.same(
      sides.map(({ events }) => events.at(-1)),
      ['closed remote', 'closed remote'],
    );
  });

  t.test(`${version}: a slow reader makes what it does not take wait, and nothing else`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    accepted.stream.pauseReading();
    const sent = patterned(BULK, 7);
    client.write(sent);
    const { stream } = client;
    t.ok(stream.pendingWriteBytes > 0);
    t.equal(stream.pendingWriteBytes + stream.bytesSent, BULK);
    accepted.write('the other way');
    t.equal(await client.received(13), 'the other way');
    accepted.stream.resumeReading();
    await client.saw('drained');
    t.equal(stream.pendingWriteBytes, 0);
    t.ok((await accepted.received(BULK)) === sent);
    t.equal(client.events.filter((event) => event === 'drained').length, 1);
  });

  t.test(`${version}: small windows cut records into many pieces`, async (t) => {
    const prepare = (fd: number) => {
      setReceiveBuffer(fd, 4096);
      setSendBuffer(fd, 4096);
    };
    const [client, accepted] = await tlsStreams(t, startReactor(t), mesh, { version, prepare });
    const sent = patterned(50_000, 11);
    client.write(sent);
    accepted.write(sent);
    t.ok((await accepted.received(sent.length)) === sent);
    t.ok((await client.received(sent.length)) === sent);
  });

  t.test(`${version}: a thousand records of one byte that come at once are read to the last`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    const turnBefore = reactor.turn;
    for (let index = 0; index < 1000; index++) client.write(String.fromCharCode(33 + (index % 90)));
    await accepted.received(1000);
    t.equal(accepted.text, patternOfBytes(1000));
    const reads = accepted.events.filter((event) => event.startsWith('data'));
    t.ok(
      reads.every((event) => Number(event.slice(5)) <= 32),
      'a bounded number of records a turn',
    );
    t.ok(
      (reactor.turn - turnBefore) * 2 >= reads.length,
      'of which one turn has two, and others have theirs in between',
    );
  });

  t.test(`${version}: what was kept back by a pause is read on without an event`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    accepted.onEvent = (event) => event.startsWith('data') && accepted.stream.pauseReading();
    for (let index = 0; index < 200; index++) client.write(String.fromCharCode(33 + (index % 90)));
    for (let seen = 0; accepted.text.length < 200; seen = accepted.text.length) {
      accepted.stream.resumeReading();
      await turns(reactor);
      const read = accepted.text.length - seen;
      t.ok(read > 0 && read <= 32, `${read} by one read, and none while it is paused`);
    }
    t.equal(accepted.text, patternOfBytes(200));
  });

  t.test(
    `${version}: a handler that consumes nothing is offered more until the bound, and everything later`,
    async (t) => {
      const reactor = startReactor(t);
      const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
      accepted.consume = () => 0;
      const sent = patterned(BULK, 13);
      client.write(sent);
      await turns(reactor, 20);
      t.equal(accepted.stream.bytesReceived, 128 * 1024);
      const before = accepted.events.length;
      await turns(reactor, 5);
      t.equal(accepted.events.length, before, 'and is not offered the same again');
      accepted.consume = undefined;
      accepted.stream.resumeReading();
      t.ok((await accepted.received(BULK)) === sent);
    },
  );

  t.test(`${version}: the end of a paused stream comes after its data, and at once without`, async (t) => {
    const reactor = startReactor(t);
    for (const text of ['last words', '']) {
      const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
      accepted.stream.pauseReading();
      if (text !== '') client.write(text);
      client.stream.endWriting();
      await turns(reactor);
      t.same(accepted.events.slice(1), text === '' ? ['end'] : []);
      accepted.stream.resumeReading();
      await accepted.saw('end');
      t.equal(accepted.text, text);
    }
  });

  t.test(`${version}: a stream that is cut off ends as an error, behind what had come`, async (t) => {
    const reactor = startReactor(t);
    for (const text of ['cut he', '']) {
      const { client, accepted, middleman } = await withMiddleman(t, version);
      if (text !== '') {
        client.write(text);
        await accepted.received(text.length);
      }
      middleman.listener.end();
      await accepted.saw('closed');
      t.equal(accepted.text, text);
      t.notOk(accepted.events.includes('end'));
      t.equal(accepted.events.at(-1), `closed error ${Errno.ECONNABORTED}`);
    }
    const { client, accepted, middleman } = await withMiddleman(t, version);
    accepted.stream.pauseReading();
    client.write('data and the cut at once');
    await turns(reactor);
    middleman.listener.end();
    await turns(reactor);
    accepted.stream.resumeReading();
    await accepted.saw('closed');
    t.equal(accepted.text, 'data and the cut at once');
    t.equal(accepted.events.at(-1), `closed error ${Errno.ECONNABORTED}`);
  });

  t.test(`${version}: a reset is told as such, paused or not, and no close_notify goes before it`, async (t) => {
    const reactor = startReactor(t);
    for (const isPaused of [false, true]) {
      const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
      if (isPaused) accepted.stream.pauseReading();
      client.stream.reset();
      await Promise.all([accepted.saw('closed'), client.saw('closed')]);
      t.same(accepted.events, ['connected', `closed error ${Errno.ECONNRESET}`]);
      t.same(client.events, ['connected', 'closed local']);
    }
  });

  t.test(`${version}: closing tells the peer that it was whole, and does not where bytes are lost`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    client.write('whole');
    client.stream.close();
    await accepted.saw('end');
    t.equal(accepted.text, 'whole');
    const [cut, other] = await tlsStreams(t, reactor, mesh, { version });
    other.stream.pauseReading();
    cut.write(patterned(BULK, 3));
    cut.stream.close();
    other.stream.resumeReading();
    await other.saw('closed');
    t.notOk(other.events.includes('end'));
    t.match(other.events.at(-1), /^closed error/);
  });

  t.test(`${version}: closing gracefully sends all, then the end, and discards what still comes`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    const sent = patterned(BULK, 17);
    client.stream.pauseReading();
    accepted.write(sent);
    accepted.stream.closeGracefully(60_000);
    client.write(patterned(1_000_000, 3));
    client.stream.resumeReading();
    await client.saw('end');
    t.ok(client.text === sent, 'no reset has cut it');
    client.stream.endWriting();
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.same(accepted.events, ['connected', 'closed local']);
    t.equal(client.events.at(-1), 'closed remote');
  });

  t.test(`${version}: closing gracefully does not wait longer than it is told to`, async (t) => {
    const [client, accepted] = await tlsStreams(t, startReactor(t), mesh, { version });
    accepted.stream.closeGracefully(10);
    await accepted.saw('closed');
    t.same(accepted.events, ['connected', 'closed local']);
    await client.saw('end');
  });

  t.test(`${version}: closing gracefully after the peer’s end closes when all is sent`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    client.stream.endWriting();
    await accepted.saw('end');
    client.stream.pauseReading();
    const sent = patterned(BULK, 19);
    accepted.write(sent);
    accepted.stream.closeGracefully(60_000);
    client.stream.resumeReading();
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.ok(client.text === sent);
    t.same(accepted.events, ['connected', 'end', 'closed local']);
    t.equal(client.events.at(-1), 'closed remote');
  });

  t.test(`${version}: input is seen by a look, and read after it`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    t.notOk(client.stream.hasInput());
    accepted.write('unexpected');
    t.ok(client.stream.hasInput());
    t.equal(await client.received(10), 'unexpected', 'no event told of it');
    client.stream.pauseReading();
    accepted.write('and more');
    t.ok(client.stream.hasInput());
    await turns(reactor);
    t.equal(client.text.length, 10);
    client.stream.resumeReading();
    t.equal(await client.received(18), 'unexpectedand more');
    accepted.stream.endWriting();
    t.ok(client.stream.hasInput());
    await client.saw('end');
  });

  t.test(`${version}: bytes that came before a reset are given out when a write meets it`, async (t) => {
    const reactor = startReactor(t);
    const [client, accepted] = await tlsStreams(t, reactor, mesh, { version });
    client.stream.pauseReading();
    accepted.write('early response');
    await turns(reactor);
    accepted.stream.reset();
    client.stream.resumeReading();
    client.write('request body');
    await client.saw('closed');
    t.equal(client.text, 'early response');
    t.notOk(client.events.includes('end'));
    t.match(client.events.at(-1), /^closed error/);
  });

  t.test(`${version}: a part of a record, and a paused reader, cost no turns`, async (t) => {
    const reactor = startReactor(t, { maxSleepMs: 5 });
    const { client, accepted, middleman } = await withMiddleman(t, version);
    let held: Buffer = Buffer.alloc(0);
    for (const length of [3, 100]) {
      middleman.upward = (bytes) => {
        held = bytes.subarray(length);
        return bytes.subarray(0, length);
      };
      client.write('x'.repeat(1000));
      await turns(reactor, 3);
      const before = reactor.turn;
      await turns(reactor, 20);
      t.ok(reactor.turn - before < 60, `${reactor.turn - before} turns in 20 ms`);
      const seen = accepted.text.length;
      middleman.listener.write(held);
      t.equal((await accepted.received(seen + 1000)).length, seen + 1000);
    }
    middleman.upward = undefined;
    accepted.stream.pauseReading();
    client.write('left alone');
    await turns(reactor, 3);
    const before = reactor.turn;
    await turns(reactor, 20);
    t.ok(reactor.turn - before < 60, `${reactor.turn - before} turns in 20 ms`);
  });

  t.test(`${version}: a record that was damaged ends the connection with OpenSSL’s words, at both ends`, async (t) => {
    const { client, accepted, middleman } = await withMiddleman(t, version);
    middleman.upward = (bytes) => {
      bytes[bytes.length - 1]! ^= 1;
      return bytes;
    };
    client.write('x'.repeat(100));
    await Promise.all([accepted.saw('closed'), client.saw('closed')]);
    t.match(accepted.events.at(-1), /^closed tls: .*(bad record mac|decryption failed)/);
    t.match(client.events.at(-1), /^closed tls: .*alert bad record mac/);
    t.equal(accepted.text, '');
  });
}

/** Readable, and different at every offset. */
function patterned(length: number, step: number): string {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = 33 + ((at * step + (at >> 8)) % 90);
  return bytes.latin1Slice();
}

function patternOfBytes(length: number): string {
  return Array.from({ length }, (_, index) => String.fromCharCode(33 + (index % 90))).join('');
}

async function withMiddleman(t: Parameters<typeof startReactor>[0], version: (typeof TLS_VERSIONS)[number]) {
  const reactor = startReactor(t);
  let middleman!: Awaited<ReturnType<typeof middlemanTo>>;
  const via = async (address: Parameters<typeof middlemanTo>[1]) => {
    middleman = await middlemanTo(t, address);
    return middleman.address;
  };
  const [client, accepted]: RecordingHandler[] = await tlsStreams(t, reactor, mesh, { version, via });
  return { client: client!, accepted: accepted!, middleman };
}
