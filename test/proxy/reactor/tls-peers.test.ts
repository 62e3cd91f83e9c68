// Connections under TLS with the TLS of others at the other end: Node's own class, and the program openssl.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as connectPeer, createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { Errno } from '../../../native/errno.ts';
import { Pattern, receiveEnd, receivePattern, sendPattern } from '../../support/patterned-stream.ts';
import { connect, type RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import {
  certified,
  listenTls,
  TLS_VERSIONS,
  tlsContext,
  transportOn,
  type VersionName,
} from '../../support/tls-streams.ts';

const BULK = 5_000_000;
const mesh = certified(t);
const nodeOptions = {
  cert: mesh.identity.certificateChain,
  key: mesh.identity.privateKey,
  ca: mesh.trust.roots,
  rejectUnauthorized: true,
};

for (const version of TLS_VERSIONS) {
  for (const side of ['server', 'client'] as const) {
    t.test(
      `${version}, ours is the ${side}: bulk goes both ways in portions of all sizes, and ends in order`,
      async (t) => {
        const { ours, peer } = await meet(t, side, version);
        const sent = new Pattern(1).next(BULK).latin1Slice();
        ours.write(sent);
        ours.stream.endWriting();
        const sizes = { least: 1, most: 70_000 };
        await Promise.all([
          receivePattern(peer, { seed: 1, bytes: BULK }),
          sendPattern(peer, { seed: 2, bytes: BULK }, sizes),
          ours.received(BULK),
        ]);
        await receiveEnd(peer);
        peer.end();
        await ours.saw('closed');
        t.ok(Buffer.from(ours.text, 'latin1').equals(new Pattern(2).next(BULK)));
        t.same(ours.events.slice(-2), ['end', 'closed remote']);
      },
    );

    t.test(`${version}, ours is the ${side}: a peer that ends early is answered all the same`, async (t) => {
      const { ours, peer } = await meet(t, side, version);
      // Node forgets close_notify when it ends within the callback of the handshake.
      ours.write('?');
      await receivedBy(peer, 1);
      peer.end('that was all');
      await ours.saw('end');
      t.equal(ours.text, 'that was all');
      const sent = new Pattern(3).next(1_000_000);
      ours.write(sent.latin1Slice());
      ours.stream.endWriting();
      await receivePattern(peer, { seed: 3, bytes: 1_000_000 });
      await receiveEnd(peer);
      await ours.saw('closed');
      t.equal(ours.events.at(-1), 'closed remote');
    });

    t.test(`${version}, ours is the ${side}: a peer that vanishes is an error, a graceful close is not`, async (t) => {
      const gone = await meet(t, side, version);
      gone.peer.destroy();
      await gone.ours.saw('closed');
      t.match(gone.ours.events.at(-1), new RegExp(`^closed error (${Errno.ECONNRESET}|${Errno.ECONNABORTED})$`));
      t.notOk(gone.ours.events.includes('end'));
      const { ours, peer } = await meet(t, side, version);
      ours.write('the last');
      ours.stream.closeGracefully(60_000);
      const chunks: Buffer[] = [];
      peer.on('data', (bytes: Buffer) => chunks.push(bytes));
      await once(peer, 'end');
      t.equal(Buffer.concat(chunks).toString(), 'the last');
      peer.end();
      await ours.saw('closed');
      t.equal(ours.events.at(-1), 'closed local');
    });
  }

  t.test(`${version}: tickets of a server are no input`, async (t) => {
    const { reactor, ours, peer } = await meet(t, 'client', version);
    await turns(reactor, 3);
    t.notOk(ours.stream.hasInput());
    t.same(ours.events, ['connected']);
    peer.write('data');
    t.equal(await ours.received(4), 'data');
  });
}

t.test('a peer that changes its keys, and wants ours changed, is no input and breaks nothing', async (t) => {
  const reactor = startReactor(t);
  const acceptor = listenTls(t, reactor, tlsContext(t, { ...mesh, side: 'server' }));
  const folder = t.testdir({ 'leaf.pem': mesh.identity.certificateChain, 'leaf.key': mesh.identity.privateKey });
  const identity = ['-cert', `${folder}/leaf.pem`, '-key', `${folder}/leaf.key`];
  const { port } = acceptor.address as IpAddress;
  const program = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3', ...identity]);
  t.teardown(() => program.kill());
  let output = '';
  for (const stream of [program.stdout, program.stderr]) {
    stream.setEncoding('latin1').on('data', (text) => {
      output += text;
    });
  }
  const said = async (words: string) => {
    while (!output.includes(words)) await turns(reactor, 1);
    output = '';
  };
  const accepted = await acceptor.next();
  await accepted.saw('connected');
  await said('Verify return code');
  for (const command of ['k', 'K', 'K']) {
    program.stdin.write(`${command}\n`);
    await said('KEYUPDATE');
    await turns(reactor, 3);
    t.notOk(accepted.stream.hasInput());
    const before = accepted.text.length;
    program.stdin.write('data\n');
    await accepted.received(before + 5);
    t.equal(accepted.text.slice(before), 'data\n');
    accepted.write(`answer to ${command}`);
    await said(`answer to ${command}`);
  }
  t.notOk(accepted.events.some((event) => event.startsWith('closed')));
});

/** Reads exactly so many bytes that have come at once. */
async function receivedBy(peer: TLSSocket, length: number): Promise<void> {
  while (peer.read(length) === null) await once(peer, 'readable');
}

interface Meeting {
  readonly reactor: ReturnType<typeof startReactor>;
  readonly ours: RecordingHandler;
  readonly peer: TLSSocket;
}

/** Ours at one end and Node's at the other, established. */
async function meet(t: Test, side: 'server' | 'client', version: VersionName): Promise<Meeting> {
  const reactor = startReactor(t);
  const options = { ...nodeOptions, maxVersion: version, allowHalfOpen: true };
  const context = tlsContext(t, { ...mesh, side, version });
  if (side === 'server') {
    const acceptor = listenTls(t, reactor, context);
    const { port } = acceptor.address as IpAddress;
    const peer = connectPeer({ ...options, port, host: '127.0.0.1', servername: 'example.test' });
    const [ours] = await Promise.all([acceptor.next(), once(peer, 'secureConnect')]);
    await ours.saw('connected');
    return watched(t, { reactor, ours, peer });
  }
  const server = createServer({ ...options, requestCert: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const connection = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const tls = (fd: number) => transportOn(context, fd);
  const ours = connect(reactor, { kind: 'ip', ip: '127.0.0.1', port }, { tls });
  const [[peer]] = await Promise.all([connection, ours.saw('connected')]);
  return watched(t, { reactor, ours, peer });
}

function watched(t: Test, meeting: Meeting): Meeting {
  // How it ended is asked at our end.
  meeting.peer.on('error', () => meeting.peer.destroy());
  t.teardown(() => {
    meeting.peer.destroy();
    meeting.ours.stream.close();
  });
  return meeting;
}
