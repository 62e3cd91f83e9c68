// A proxy that is replaced by the next one, again and again, under load.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { startCountingOrigin } from '../support/counting-origin.ts';
import { pause } from '../support/pause.ts';
import { RawClient } from '../support/raw-client.ts';
import {
  clusterAt,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';
import { UpgradeLoad } from '../support/upgrade-load.ts';

// Each upgrade starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

/** Bootstraps of one family: the ports that the first got, for all. */
class Family {
  readonly #t: Test;
  readonly #originPort: number;
  readonly #flags: readonly string[];
  #epoch = 0;

  constructor(t: Test, originPort: number, flags: readonly string[] = []) {
    this.#t = t;
    this.#originPort = originPort;
    this.#flags = ['--socket-path', `@outrigger-test-${process.pid}-${familyCount++}`, ...flags];
  }

  /** The next process, when it has taken over. */
  async next(flags: readonly string[] = []): Promise<Sidecar> {
    const upgrade = { upgrade_configs: [{ upgrade_type: 'websocket' }] };
    const listeners = [
      { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', upgrade)] },
      { name: 'tcp', address: socketAddress(0), filter_chains: [tcpFilterChain('app')] },
    ];
    const bootstrap = { static_resources: { listeners, clusters: [clusterAt('app', this.#originPort)] } };
    const epoch = ['--restart-epoch', String(this.#epoch++)];
    return startSidecar(this.#t, { bootstrap, flags: [...this.#flags, ...epoch, ...flags] });
  }
}

let familyCount = 0;

/** What the third is given was handed on twice: from there on each is as the one before. */
const UPGRADES = 5;

const upgradeRequest = 'GET /chat HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';

/** A tunnel that is open now: what is said in it comes back. */
async function openTunnel(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  await client.write(upgradeRequest);
  await client.until((text) => text.includes('101 Switching'));
  await say(client, 'begin');
  return client;
}

async function say(client: RawClient, word: string): Promise<void> {
  await client.write(`<${word}>`);
  const text = await client.until((all) => all.endsWith(`<${word}>`));
  if (!text.endsWith(`<${word}>`)) throw new Error(`${word} did not come back: ${client.outcome}`);
}

/** Answers a second while something is done. */
async function rateOf(load: UpgradeLoad, work: () => Promise<void>): Promise<number> {
  const [answeredBefore, sinceMs] = [load.answered, performance.now()];
  await work();
  return ((load.answered - answeredBefore) * 1000) / (performance.now() - sinceMs);
}

/** Descriptors of a process but those of TCP connections: its clients come and go. */
function lastingDescriptors(sidecar: Sidecar): number {
  const folder = `/proc/${sidecar.process.pid}`;
  const connections = new Set(
    readFileSync(`${folder}/net/tcp`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .flatMap((fields) => (fields[3] === listening ? [] : [`socket:[${fields[9]}]`])),
  );
  return linksIn(`${folder}/fd`).filter((link) => !connections.has(link)).length;
}

/** As /proc/net/tcp has it. */
const listening = '0A';

function linksIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch (error) {
      // Closed since the folder was read.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}

t.test('thousands of requests go through five upgrades, none is lost and none is sent twice', async (t) => {
  const origin = await startCountingOrigin(t);
  const family = new Family(t, origin.port, ['--concurrency', '2']);
  let current = await family.next();
  const port = current.port('http');
  const descriptorsAtFirst = lastingDescriptors(current);
  const load = new UpgradeLoad(port);
  load.add('keep-alive', 12);
  load.add('fresh', 4);
  load.add('half-body', 6);
  load.add('slow', 6);
  await load.answers(500);
  const calmRate = await rateOf(load, () => load.answers(3000));
  const ended: Promise<number | null>[] = [];
  let tunnel = await openTunnel(t, port);
  let stream = await openTunnel(t, current.port('tcp'));
  const upgrade = async (number: number): Promise<void> => {
    await load.answers(300);
    const next = await family.next();
    t.equal(next.port('http'), port, 'a port that the kernel chose stays');
    await load.answers(100);
    // Tunnels of the process that was replaced go on until their own end.
    for (const each of [tunnel, stream]) {
      await say(each, `after upgrade ${number}`);
      t.equal(each.outcome, undefined);
      each.endWriting();
      await each.ended();
      t.equal(each.outcome, 'end');
    }
    [tunnel, stream] = [await openTunnel(t, port), await openTunnel(t, next.port('tcp'))];
    ended.push(current.ended);
    current = next;
  };
  const rate = await rateOf(load, async () => {
    for (let number = 1; number <= UPGRADES; number++) await upgrade(number);
  });
  const { asked, answered, sentAway, losses } = await load.stop();
  const rates = `${Math.round(rate)} requests a second, ${Math.round(calmRate)} before`;
  t.comment(`${answered} requests, ${rates}, ${sentAway} clients sent away`);
  // Processes that start share two cores with the clients, and the machine is a slower one from one minute to the next.
  t.ok(rate > 0.1 * calmRate, rates);
  t.same(losses.slice(0, 10), []);
  t.equal(answered, asked.length);
  t.same(
    asked.filter((path) => origin.requests.get(path) !== 1),
    [],
    'each reached the origin once',
  );
  t.ok(sentAway >= UPGRADES * 12, 'each upgrade asked its clients to leave');
  t.same(await Promise.all(ended), new Array(UPGRADES).fill(0), 'each process left by itself');
  // A connection that has ended keeps its descriptor until it is noticed, and is in no table meanwhile.
  for (let looks = 0; looks < 500 && lastingDescriptors(current) > descriptorsAtFirst; looks++) await pause();
  t.equal(lastingDescriptors(current), descriptorsAtFirst, 'descriptors do not add up');
});
