import { once } from 'node:events';
import { connect as connectClient, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { close, peek } from '../../../native/socket.ts';
import type { Inspection, Inspector } from '../../../proxy/listener/listener-filter.ts';
import { MAX_INSPECTED_BYTES, Verdict } from '../../../proxy/listener/listener-filter.ts';
import type { Speculation } from '../../../proxy/listener/speculation.ts';
import { WaitingConnection, type WaitingOwner } from '../../../proxy/listener/waiting-connection.ts';
import { ListeningSocket } from '../../../proxy/reactor/listening-socket.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { LOOPBACK, openDescriptors, startReactor, turns } from '../../support/reactor-fixtures.ts';

/** Says `done` when it sees this text; remembers what it was shown. */
class TextInspector implements Inspector {
  readonly shown: string[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  inspect({ bytes, end, seen }: Inspection): Verdict {
    const text = bytes.latin1Slice(0, end);
    this.shown.push(`${seen} ${text}`);
    if (text === 'refuse') return Verdict.refused;
    return text.startsWith(this.#text) ? Verdict.done : Verdict.needsMore;
  }
}

interface Bench {
  readonly reactor: Reactor;
  readonly client: Socket;
  readonly waiting: WaitingConnection;
  /** `inspected` or how it ended. */
  readonly outcome: Promise<string>;
  /** Timeouts so far. */
  readonly timeouts: () => number;
}

async function bench(t: Test, inspectors: readonly Inspector[], owner: Partial<WaitingOwner> = {}): Promise<Bench> {
  const reactor = startReactor(t);
  const accepted = Promise.withResolvers<number>();
  const acceptor = { onAccept: accepted.resolve, onAccepted() {}, onAcceptError() {} };
  const socket = ListeningSocket.open(reactor, LOOPBACK, {}, acceptor) as ListeningSocket;
  t.teardown(() => socket.close());
  const { port } = socket.localAddress() as { readonly port: number };
  const client = connectClient({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => undefined);
  t.teardown(() => client.destroy());
  const outcome = Promise.withResolvers<string>();
  let timeouts = 0;
  const owned: WaitingOwner = {
    reactor,
    timeoutMs: 0,
    continuesOnTimeout: false,
    onTimeout: () => timeouts++,
    speculate: () => null,
    onInspected: () => outcome.resolve('inspected'),
    onWaitingEnd: (_, end) => outcome.resolve(end),
    ...owner,
  };
  const waiting = new WaitingConnection(owned, await accepted.promise, { original: undefined, inspectors });
  waiting.begin();
  return { reactor, client, waiting, outcome: outcome.promise, timeouts: () => timeouts };
}

async function send(client: Socket, text: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  client.write(text, 'latin1', () => resolve());
  await promise;
}

t.test('filters look one after the other, each from the first byte, and leave all bytes where they are', async (t) => {
  const [first, second] = [new TextInspector('ab'), new TextInspector('abc')];
  const { reactor, client, waiting, outcome } = await bench(t, [first, second]);
  for (const letter of 'abc') {
    await send(client, letter);
    await turns(reactor);
  }
  t.equal(await outcome, 'inspected');
  t.same(first.shown, ['0 a', '1 ab']);
  t.same(second.shown, ['0 ab', '2 abc']);
  t.equal(peek(waiting.descriptor, reactor.receiveBuffer, 0, 9), 3);
  close(waiting.descriptor);
});

t.test('bytes that are there when the connection is accepted are not waited for', async (t) => {
  const ready = Promise.withResolvers<void>();
  const inspector = new TextInspector('a');
  const { client, waiting, outcome } = await bench(t, [inspector], { onInspected: () => ready.resolve() });
  await Promise.race([outcome, send(client, 'a').then(() => ready.promise)]);
  t.same(inspector.shown, ['0 a']);
  close(waiting.descriptor);
});

t.test('the worker sleeps while bytes that are not enough wait in the kernel', async (t) => {
  const inspector = new TextInspector('ab');
  const { reactor, client } = await bench(t, [inspector]);
  await send(client, 'a');
  await turns(reactor, 20);
  t.same(inspector.shown, ['0 a']);
});

t.test('the end of the client, its reset, a refusal and a close close the descriptor', async (t) => {
  for (const [leave, end] of [
    [({ client }) => client.end(), 'remote-close'],
    [({ client }) => client.resetAndDestroy(), 'error'],
    [({ client }) => send(client, 'refuse'), 'refused'],
    [({ waiting }) => waiting.close(), 'local-close'],
    [({ waiting }) => waiting.closeIfSilent(), 'local-close'],
  ] satisfies readonly [leave: (bench: Bench) => unknown, end: string][]) {
    const started = await bench(t, [new TextInspector('a')]);
    const before = openDescriptors();
    if (started.client.connecting) await once(started.client, 'connect');
    leave(started);
    t.equal(await started.outcome, end);
    await turns(started.reactor);
    t.ok(openDescriptors() < before, `${end}: the descriptor is closed`);
  }
});

t.test('who has sent something is not silent', async (t) => {
  const { reactor, client, waiting, outcome } = await bench(t, [new TextInspector('ab')]);
  await send(client, 'a');
  await turns(reactor);
  waiting.closeIfSilent();
  await send(client, 'b');
  t.equal(await outcome, 'inspected');
  close(waiting.descriptor);
});

t.test('a filter that needs more when the client has ended has found nothing', async (t) => {
  const [first, second] = [new TextInspector('ab'), new TextInspector('a')];
  const { client, waiting, outcome } = await bench(t, [first, second]);
  client.end('a');
  t.equal(await outcome, 'inspected');
  t.same(second.shown, ['0 a']);
  close(waiting.descriptor);
});

t.test('time runs out once, whatever follows', async (t) => {
  for (const continuesOnTimeout of [false, true]) {
    const { client, waiting, outcome, timeouts } = await bench(t, [new TextInspector('ab')], {
      timeoutMs: 5,
      continuesOnTimeout,
    });
    await send(client, 'a');
    t.equal(await outcome, continuesOnTimeout ? 'inspected' : 'timeout');
    t.equal(timeouts(), 1);
    if (continuesOnTimeout) close(waiting.descriptor);
  }
});

t.test('silence is told of until the client speaks, but not while a filter needs bytes', async (t) => {
  for (const isRequired of [false, true]) {
    const inspector = Object.assign(new TextInspector('ab'), { isRequired });
    const told: string[] = [];
    const speculation = {
      onSilence: () => told.push('silence'),
      onClientSpoke: () => told.push('client'),
      claim: () => told.push('claimed'),
    } as unknown as Speculation;
    const { client, waiting, outcome, reactor } = await bench(t, [inspector], { speculate: () => speculation });
    await send(client, 'a');
    await turns(reactor);
    client.resetAndDestroy();
    t.equal(await outcome, 'error');
    t.same(told, isRequired ? [] : ['silence', 'client', 'claimed']);
    t.equal(waiting.speculation, isRequired ? null : speculation);
  }
});

t.test('as much as is inspected at most has room in the kernel, in small packets too', async (t) => {
  const all = Promise.withResolvers<number>();
  const inspector: Inspector = {
    inspect({ end }) {
      if (end < MAX_INSPECTED_BYTES) return Verdict.needsMore;
      all.resolve(end);
      return Verdict.refused;
    },
  };
  const { client } = await bench(t, [inspector]);
  client.setNoDelay(true);
  const piece = 'a'.repeat(500);
  for (let sent = 0; sent < 2 * MAX_INSPECTED_BYTES; sent += piece.length) client.write(piece);
  t.equal(await all.promise, MAX_INSPECTED_BYTES);
});
