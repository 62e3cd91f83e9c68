// Over a pair of sockets: what a peer puts in front of its bytes, and what the handler behind it sees of them.

import t, { type Test } from 'tap';
import { writePreamble } from '../../../proxy/istio/peer-preamble.ts';
import { type ExchangingHandler, TcpExchange } from '../../../proxy/istio/tcp-exchange.ts';
import type { Workload, WorkloadNode } from '../../../proxy/istio/workload.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { metadataExchangeStats } from '../../../proxy/telemetry/metadata-exchange-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { connectedStreams, RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { threadNowMs } from '../../support/thread-time.ts';

const ALPN = 'istio-peer-exchange';
const nodeOf = (name: string): WorkloadNode => ({ id: name, metadata: { WORKLOAD_NAME: name }, region: '', zone: '' });
const PREAMBLE = writePreamble(nodeOf('web'), []).bytes.toString('latin1');

type Told = RecordingHandler & ExchangingHandler & { readonly peers: (string | null)[] };

function recording(): Told {
  const handler = new RecordingHandler();
  const peers: (string | null)[] = [];
  return Object.assign(handler, {
    peers,
    onPeer: (peer: Workload | null) => void peers.push(peer === null ? null : peer.name),
    onExchangeFailed: (reason: string) => {
      handler.events.push(`failed: ${reason}`);
      handler.stream.close();
    },
  });
}

interface Scene {
  readonly reactor: Reactor;
  readonly peer: RecordingHandler;
  readonly told: Told;
  readonly counted: () => readonly string[];
}

/** Our side accepted `peer`, and TLS agreed on `alpn`. */
async function open(t: Test, alpn: string = ALPN, clock?: () => number): Promise<Scene> {
  const reactor = startReactor(t, clock && { clock });
  const [peer, accepted] = await connectedStreams(t, reactor);
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message)).block(metadataExchangeStats);
  const config = { protocol: ALPN, additionalLabels: [] };
  const exchange = new TcpExchange({ reactor, config, node: nodeOf('app'), stats });
  const told = recording();
  told.stream = accepted.stream;
  accepted.stream.handler = told;
  exchange.begin(accepted.stream, told, alpn);
  const names = Object.keys(metadataExchangeStats).filter((name) => name !== 'scope');
  const counted = () => names.filter((_, index) => store.get(metadataExchangeStats)!.value(index) > 0);
  return { reactor, peer, told, counted };
}

t.test('we tell at once, and what the peer tells is taken out of its bytes', async (t) => {
  const { peer, told, counted } = await open(t);
  const own = writePreamble(nodeOf('app'), []).bytes.toString('latin1');
  t.equal(await peer.received(own.length), own);
  peer.write(`${PREAMBLE}hello`);
  t.equal(await told.received(5), 'hello');
  t.same(told.peers, ['web']);
  t.same(counted(), ['alpnProtocolFound', 'metadataAdded']);
  peer.write(PREAMBLE);
  await told.received(5 + PREAMBLE.length);
  t.same(told.peers, ['web'], 'later bytes are the application’s');
});

t.test('wherever it is cut, the handler sees what follows, once', async (t) => {
  for (const cut of [1, 4, 7, 8, 9, PREAMBLE.length - 1, PREAMBLE.length]) {
    const { reactor, peer, told } = await open(t);
    peer.write(PREAMBLE.slice(0, cut));
    await turns(reactor);
    t.equal(told.text, '', `${cut}`);
    peer.write(`${PREAMBLE.slice(cut)}rest`);
    t.equal(await told.received(4), 'rest');
    t.same(told.peers, ['web']);
  }
});

t.test('another protocol: nobody is told anything, and nothing is taken out', async (t) => {
  const { peer, told, counted } = await open(t, 'istio');
  peer.write(PREAMBLE);
  t.equal(await told.received(PREAMBLE.length), PREAMBLE);
  t.same([told.peers, peer.text], [[], '']);
  t.same(counted(), ['alpnProtocolNotFound']);
});

t.test('a peer that agreed and tells nothing keeps its bytes, however few they are', async (t) => {
  const { peer, told, counted } = await open(t);
  peer.write('x');
  t.equal(await told.received(1), 'x');
  t.same(told.peers, [null]);
  t.ok(counted().includes('initialHeaderNotFound'));
});

t.test('bytes that might have begun a preamble come before the end', async (t) => {
  const { peer, told } = await open(t);
  peer.write('=#');
  peer.stream.endWriting();
  await told.saw('end');
  t.same(told.events, ['data 2', 'end']);
  t.same(told.peers, [null]);
});

t.test('… also to a handler that takes them later', async (t) => {
  const { reactor, peer, told } = await open(t);
  let isReady = false;
  told.consume = (text) => {
    if (!isReady) told.stream.pauseReading();
    return isReady ? text.length : 0;
  };
  peer.write('=#');
  peer.stream.endWriting();
  await turns(reactor);
  t.same([told.text, told.events.includes('end')], ['', false]);
  isReady = true;
  told.stream.resumeReading();
  await told.saw('end');
  t.equal(told.text, '=#');
});

t.test('a handler that is not ready gets what follows the metadata when it is', async (t) => {
  const { reactor, peer, told } = await open(t);
  let isReady = false;
  told.consume = (text) => {
    if (!isReady) told.stream.pauseReading();
    return isReady ? text.length : 0;
  };
  peer.write(`${PREAMBLE}hello`);
  await turns(reactor);
  t.same([told.peers, told.text], [['web'], '']);
  isReady = true;
  told.stream.resumeReading();
  t.equal(await told.received(5), 'hello');
});

t.test('the end of a peer that said nothing is the handler’s', async (t) => {
  const { peer, told } = await open(t);
  peer.stream.endWriting();
  await told.saw('end');
  t.same([told.peers, told.text], [[null], '']);
});

t.test('a peer that ends within its metadata, or announces too much of it, is left', async (t) => {
  const cut = await open(t);
  cut.peer.write(PREAMBLE.slice(0, -1));
  cut.peer.stream.endWriting();
  await cut.told.saw('closed');
  t.same([cut.told.events[0], cut.told.text], ['failed: the peer ended within its metadata', '']);
  const long = await open(t);
  long.peer.write('=#\x04g\x7f\xff\xff\xff');
  await long.told.saw('closed');
  t.equal(long.told.events[0], 'failed: the peer announces 2147483655 bytes of metadata');
  t.same([long.told.peers, long.counted()], [[null], ['alpnProtocolFound', 'headerNotFound', 'metadataAdded']]);
});

t.test('metadata that cannot be read is taken out, and tells of nobody', async (t) => {
  const { peer, told, counted } = await open(t);
  peer.write('=#\x04g\0\0\0\x01\xffhello');
  t.equal(await told.received(5), 'hello');
  t.same(told.peers, [null]);
  t.ok(counted().includes('headerNotFound'));
});

t.test('what might be a preamble is waited for, and not for ever', async (t) => {
  let aheadMs = 0;
  const clock = () => threadNowMs() + aheadMs;
  const short = await open(t, ALPN, clock);
  short.peer.write('=#\x04');
  await turns(short.reactor);
  t.same(short.told.events, []);
  aheadMs += 5_000;
  t.equal(await short.told.received(3), '=#\x04', 'it was none');
  const cut = await open(t, ALPN, clock);
  cut.peer.write(PREAMBLE.slice(0, 20));
  await turns(cut.reactor);
  aheadMs += 5_000;
  await cut.told.saw('closed');
  t.equal(cut.told.events[0], 'failed: the metadata of the peer did not come in time');
});

t.test('a connection that ends while it is waited for leaves no timer behind', async (t) => {
  const { peer, told, reactor } = await open(t);
  peer.write('=#');
  await turns(reactor);
  told.stream.close();
  await told.saw('closed');
  t.same(told.peers, []);
});
