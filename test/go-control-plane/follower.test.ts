// Our control plane with clients of go-control-plane, over grpc-go: its own of the state of the world, and its messages by delta.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { buildControlPlane } from '../../bench/peers/go-control-plane.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { renameIntoPlace, writeFiles } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';
import { whyNotBuilt } from '../support/why-not-built.ts';

/** The first run builds the program, for half a minute on a quiet machine. */
t.setTimeout(900_000);

interface Received {
  readonly type_url: string;
  readonly resources: Readonly<Record<string, object>>;
  readonly removed: readonly string[] | null;
  readonly refused: boolean;
}

const missing = whyNotBuilt(buildControlPlane);

/** A client, and what it has got. */
function startFollower(t: Test, port: number, ...flags: readonly string[]) {
  const command = [`--follow=127.0.0.1:${port}`, '--until-eof', ...flags];
  const child = spawn(buildControlPlane(), command, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** Resolves with the next response that is right. */
  const next = async (isWanted: (received: Received) => boolean): Promise<Received> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error('the client has ended');
      const received = JSON.parse(value) as Received;
      if (isWanted(received)) return received;
    }
  };
  return { next };
}

const kindOf = ({ type_url }: Received): string => type_url.slice(type_url.lastIndexOf('.') + 1);
const shop = (port: number) =>
  `service: shop\nlisten: 127.0.0.1:0\nendpoints: ["127.0.0.1:${port}"]\nroutes:\n  - {match: {prefix: /a}, to: {shop: 9, more: 1}, retries: 2}\n  - to: shop\n`;

for (const protocol of ['delta', 'sotw']) {
  t.test(`go-control-plane's client by ${protocol}`, { skip: missing }, async (t) => {
    const folder = t.testdir({ 'shop.yaml': shop(81), 'more.yaml': 'service: more\nendpoints: ["127.0.0.1:82"]\n' });
    const flags = ['--dir', folder, '--listen', '127.0.0.1:0', '--status', '127.0.0.1:0'];
    const controlPlane = new ControlPlane(parseControlPlaneFlags(flags)!, () => undefined);
    const { port, statusPort } = await controlPlane.start();
    t.teardown(() => controlPlane.close());
    const status = async () => {
      const response = await fetch(`http://127.0.0.1:${statusPort}/status`);
      return (await response.json()) as { readonly refusals: readonly { readonly type: string }[] };
    };
    const { next } = startFollower(t, port, `--protocol=${protocol}`, '--refuse=late');

    const all = new Map<string, readonly string[]>();
    await next((received) => {
      t.notOk(received.refused);
      all.set(kindOf(received), Object.keys(received.resources).sort());
      return all.size === 4;
    });
    t.same(Object.fromEntries(all), {
      Cluster: ['more', 'shop'],
      ClusterLoadAssignment: ['more', 'shop'],
      Listener: ['shop'],
      RouteConfiguration: ['shop'],
    });

    renameIntoPlace(folder, 'shop.yaml', shop(83));
    const changed = await next((received) =>
      JSON.stringify(received.resources['shop'] ?? '').includes('"portValue":83'),
    );
    t.equal(kindOf(changed), 'ClusterLoadAssignment');
    t.same(Object.keys(changed.resources), ['shop'], 'and nothing else');

    writeFiles(folder, { 'late.yaml': 'service: late\nendpoints: ["127.0.0.1:84"]\n' });
    const refused = await next((received) => received.refused && kindOf(received) === 'Cluster');
    t.ok('late' in refused.resources);
    const refusal = { node: 'go-client', type: 'cds', text: 'it is not wanted here' };
    const isRefused = ({ type }: { type: string }): boolean => type === 'cds';
    // Its refusal is under way.
    let told = await status();
    for (let tries = 0; tries < 10_000 && !told.refusals.some(isRefused); tries++) told = await status();
    t.match(told.refusals.filter(isRefused), onlyItems(refusal));
  });
}
