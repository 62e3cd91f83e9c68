import t from 'tap';
import type { VirtualHost } from '../../../config/route.ts';
import { OnDemandHostNames } from '../../../xds/assembly/on-demand-hosts.ts';
import { encodeMessage } from '../../../xds/message/wire-message.ts';
import { AssemblyBench, rdsListener, receivedOf, routeTable } from '../../support/assembly-bench.ts';
import { virtualHostOf } from '../../support/data-plane.ts';
import { routeConfigurationOf } from '../../support/on-demand-mesh.ts';

function bench({ ignorePort = false } = {}) {
  const calls: string[] = [];
  const logged: string[] = [];
  const hosts = new Map<string, VirtualHost>();
  const clock = { nowMs: 0 };
  const names = new OnDemandHostNames({
    routesNamed: (name) => (name === 'r' ? routeConfigurationOf('r', ignorePort) : undefined),
    subscribe: (routeName, alias) => calls.push(`+${routeName}: ${alias}`),
    unsubscribe: (routeName, alias) => calls.push(`-${routeName}: ${alias}`),
    hostNamed: (resource) => hosts.get(resource),
    remove: (routeName, resource) => calls.push(`remove ${routeName}: ${resource}`),
    forgetRefused: (routeName, resource) => calls.push(`forget ${routeName}: ${resource}`),
    refuse: (alias, workers, why) => calls.push(`${alias} ${why} for ${[...workers].join(' ')}`),
    clock: () => clock.nowMs,
    log: (level, text, facts) => logged.push(`${level}: ${text}: ${JSON.stringify(facts)}`),
  });
  const come = (resource: string, domains: readonly string[], ...aliases: readonly string[]) => {
    hosts.set(resource, { ...virtualHostOf([]), domains });
    names.onCame(resource, aliases, true);
  };
  const states = () => names.names.statuses('virtual-host').map(({ name, state }) => `${name} ${state}`);
  return { names, hosts, calls, clock, come, states, logged, take: () => calls.splice(0) };
}

t.test('a host is asked for behind the name of its route configuration', async (t) => {
  const { names, take, come, states } = bench();
  names.ask('r', 'a.example', 0);
  t.same(take(), ['+r: r/a.example']);
  come('r/one', ['a.example'], 'r/a.example');
  t.same(take(), []);
  t.same(states(), ['r/a.example present']);
});

t.test('nobody is asked for a host of routes that are not there, or have all their virtual hosts', async (t) => {
  const { names, take } = bench();
  names.ask('unknown', 'a', 3);
  t.same(take(), ['unknown/a absent for 3']);
});

t.test('an answer whose domains do not have the host is none', async (t) => {
  const { names, take, come } = bench();
  for (const host of ['a', 'x.b', 'c.x', 'd:80', 'e']) names.ask('r', host, 0);
  take();
  come('r/one', ['other', '*.b', 'c.*', 'd'], 'r/a', 'r/x.b', 'r/c.x', 'r/d:80');
  come('r/all', ['*'], 'r/e');
  t.same(take(), ['r/a absent for 0', 'r/d:80 absent for 0']);
});

t.test('a port is no part of the host where routes ignore it', async (t) => {
  const { names, take, come } = bench({ ignorePort: true });
  names.ask('r', 'd:80', 0);
  names.ask('r', 'd:', 0);
  take();
  come('r/one', ['d'], 'r/d:80', 'r/d:');
  t.same(take(), []);
});

t.test('a host whose client did not wait is followed all the same, and goes when it has to', async (t) => {
  const { names, take, come } = bench();
  names.ask('r', 'a', 0);
  names.leave('r', 'a', 0);
  take();
  come('r/one', ['a'], 'r/a');
  t.same(take(), []);
  t.ok(names.isAsked('r/one'));
  names.drop('r');
  t.same(take(), ['-r: r/a', 'remove r: r/one', 'r/a absent for ']);
  t.notOk(names.isAsked('r/one'));
});

t.test('what was refused, and has no older state, is not there', async (t) => {
  const { names, take } = bench();
  names.ask('r', 'a', 0);
  take();
  names.onCame('r/one', ['r/a'], false);
  t.same(take(), ['r/a absent for 0']);
});

t.test('a virtual host that goes takes all hosts with it that it was the answer to', async (t) => {
  const { names, take, come, states } = bench();
  names.ask('r', 'a', 0);
  names.ask('r', 'b', 0);
  come('r/one', ['a', 'b'], 'r/a', 'r/b');
  take();
  names.onGone('r/one');
  t.same(take(), ['r/a absent for 0', 'r/b absent for 0']);
  t.same(states(), ['r/a absent', 'r/b absent']);
});

t.test('a later state without the host is asked for anew', async (t) => {
  const { names, take, come, clock } = bench();
  names.ask('r', 'a', 0);
  come('r/one', ['a'], 'r/a');
  names.leave('r', 'a', 0);
  come('r/one', ['b']);
  take();
  names.ask('r', 'a', 0);
  t.same(take(), ['r/a absent for ', 'r/a absent for 0']);
  clock.nowMs = 1000;
  names.ask('r', 'a', 0);
  t.same(take(), ['-r: r/a', '+r: r/a']);
});

t.test('routes that go let their hosts go, and the virtual host with the last of them', async (t) => {
  const { names, take, come } = bench();
  names.ask('r', 'a', 0);
  names.ask('r', 'b', 0);
  come('r/one', ['a', 'b'], 'r/a', 'r/b');
  names.leave('r', 'a', 0);
  names.leave('r', 'b', 0);
  take();
  names.drop('r');
  t.same(take(), ['-r: r/a', 'r/a absent for ', '-r: r/b', 'remove r: r/one', 'r/b absent for ']);
});

t.test(
  'that an answer was refused is forgotten with the name that it was for, unless a good one came since',
  async (t) => {
    const { names, take, come } = bench();
    for (const host of ['a', 'b']) names.ask('r', host, 0);
    names.onCame('r/one', ['r/a', 'r/b'], false);
    names.ask('r', 'b', 0);
    come('r/one', ['b'], 'r/b');
    take();
    names.drop('r');
    t.same(
      take().filter((call) => /^(forget|remove)/.test(call)),
      ['remove r: r/one', 'forget r: r/one'],
    );
  },
);

t.test('of what was refused as the answer to a host only the last is known', async (t) => {
  const { names, take, come } = bench();
  for (const host of ['a', 'b']) names.ask('r', host, 0);
  names.onCame('r/one', ['r/a', 'r/b'], false);
  take();
  names.onCame('r/two', ['r/a'], false);
  t.same(take(), [], 'it is still the answer to the other host');
  names.onCame('r/three', ['r/b'], false);
  t.same(take(), ['forget r: r/one']);
  names.ask('r', 'a', 0);
  take();
  come('r/four', ['a'], 'r/a');
  t.same(take(), ['forget r: r/two']);
});

t.test('an answer whose domains do not have the host goes with the name that it came for', async (t) => {
  const { names, take, come, clock } = bench();
  names.ask('r', 'a', 0);
  come('r/stray', ['other'], 'r/a');
  t.ok(names.isAsked('r/stray'));
  clock.nowMs = 1000;
  names.ask('r', 'a', 0);
  take();
  names.ask('r', 'a', 1);
  names.onGone('r/gone');
  t.same(take(), [], 'another worker asks for it, and nobody is told that it is not there');
  come('r/one', ['a'], 'r/a');
  names.drop('r');
  t.same(take(), ['-r: r/a', 'remove r: r/stray', 'remove r: r/one', 'r/a absent for 0 1']);
});

t.test('who waits for another answer waits on when the one that was none is removed', async (t) => {
  const { names, take, come, clock, states } = bench();
  names.ask('r', 'a', 0);
  come('r/stray', ['other'], 'r/a');
  clock.nowMs = 1000;
  names.ask('r', 'a', 0);
  take();
  names.onGone('r/stray');
  t.same(take(), []);
  t.same(states(), ['r/a waiting']);
});

t.test('of the answers to one host some are kept, and the oldest goes', async (t) => {
  const { names, take, come, states } = bench();
  names.ask('r', 'a', 0);
  for (let index = 0; index < 10; index++) come(`r/${index}`, index === 1 ? ['a'] : [`other ${index}`], 'r/a');
  t.same(
    take().filter((call) => call.startsWith('remove')),
    ['remove r: r/0', 'remove r: r/1'],
  );
  t.same(states(), ['r/a absent']);
});

t.test('one that does not have the host takes nothing away from one that has', async (t) => {
  const { names, take, come, states, logged } = bench();
  names.ask('r', 'a', 0);
  take();
  come('r/one', ['a'], 'r/a');
  come('r/two', ['b'], 'r/a');
  t.same(take(), []);
  t.same(states(), ['r/a present']);
  t.same(logged, []);
  names.onGone('r/one');
  t.same(take(), ['r/a absent for 0']);
});

t.test('a virtual host that came without being asked for does not go with a name that it answers later', async (t) => {
  const { names, take, come } = bench();
  come('r/pushed', ['p']);
  names.ask('r', 'a', 0);
  come('r/pushed', ['p', 'a'], 'r/a');
  t.notOk(names.isAsked('r/pushed'));
  take();
  names.drop('r');
  t.same(take(), ['-r: r/a', 'r/a absent for 0']);
  names.onGone('r/pushed');
  names.ask('r', 'b', 0);
  come('r/pushed', ['b'], 'r/b');
  t.ok(names.isAsked('r/pushed'), 'the one before it was removed');
});

t.test('the answer to a host that had to make room meanwhile is let go, and is none that was pushed', async (t) => {
  const { names, take, come } = bench();
  askAndLeave(names, 0, 4096);
  take();
  names.ask('r', 'next', 0);
  t.same(take(), ['-r: r/h0', '+r: r/next']);
  come('r/late', ['h0'], 'r/h0');
  t.same(take(), ['remove r: r/late']);
  names.ask('r', 'h0', 0);
  take();
  come('r/late', ['h0'], 'r/h0');
  t.same(take(), []);
  t.ok(names.isAsked('r/late'), 'it was asked for again');
});

t.test('what was pushed stays though it says to be the answer to a host that had to make room', async (t) => {
  const { names, take, come } = bench();
  come('r/pushed', ['p']);
  askAndLeave(names, 0, 4097);
  take();
  come('r/pushed', ['p', 'h0'], 'r/h0');
  t.same(take(), []);
});

t.test('that such an answer was refused is forgotten, too', async (t) => {
  const { names, take } = bench();
  askAndLeave(names, 0, 4097);
  take();
  names.onCame('r/late', ['r/h0'], false);
  t.same(take(), ['forget r: r/late']);
});

t.test('hosts of routes that went and came again are as new', async (t) => {
  const { names, take, come } = bench();
  askAndLeave(names, 0, 4097);
  names.drop('r');
  take();
  come('r/pushed', ['h0'], 'r/h0');
  t.same(take(), []);
});

t.test('of hosts that had to make room the latest 4,096 are known', async (t) => {
  const { names, take, come } = bench();
  askAndLeave(names, 0, 4096 + 4096 + 1);
  take();
  come('r/first', ['h0'], 'r/h0');
  come('r/second', ['h1'], 'r/h1');
  t.same(take(), ['remove r: r/second']);
});

/** Of these hosts, waited for in vain. */
function askAndLeave(names: OnDemandHostNames, from: number, count: number): void {
  for (let index = from; index < from + count; index++) {
    names.ask('r', `h${index}`, 0);
    names.leave('r', `h${index}`, 0);
  }
}

t.test('the log says which virtual host is no answer to which host, once in ten seconds', async (t) => {
  const { names, come, clock, logged } = bench();
  const text =
    'warning: a virtual host came as the answer to a host that none of its domains has; ' +
    'requests for that host are answered 404: ';
  for (const host of ['a', 'b', 'c']) {
    names.ask('r', host, 0);
    come(`r/for ${host}`, ['other'], `r/${host}`);
  }
  t.same(logged.splice(0), [`${text}{"asked":"r/a","virtualHost":"r/for a","othersSinceLast":0}`]);
  clock.nowMs = 10_000;
  names.ask('r', 'd', 0);
  come('r/for d', ['other'], 'r/d');
  t.same(logged, [`${text}{"asked":"r/d","virtualHost":"r/for d","othersSinceLast":2}`]);
});

t.test(
  'a host that makes room while its answer is taken over, and is asked for again, has another answer to come',
  async (t) => {
    const bench = new AssemblyBench().startEmpty();
    bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
    bench.respond('rds', { r: routeTable('r', 'a').replace(/\}$/, ', vhds: {config_source: {ads: {}}}}') });
    bench.respond('vhds', {});
    const named = (host: string) => ({ kind: 'virtual-host', routeConfiguration: 'r', host }) as const;
    const answer = (name: string, domains: readonly string[], hosts: readonly string[]) => {
      const message = encodeMessage({ name, domains }, 'envoy.config.route.v3.VirtualHost');
      const resources = [{ name: `r/${name}`, version: '1', aliases: hosts.map((host) => `r/${host}`), message }];
      return { version: '1', resources, removed: [] };
    };
    const states = () => new Map(bench.assembler.demanded.map(({ name, state }) => [name, state]));
    bench.assembler.demand(named('h0'), 0);
    bench.consumer('vhds').onUpdate(answer('one', ['h0'], ['h0']));
    bench.assembler.endDemand(named('h0'), 0);
    const others = Array.from({ length: 4094 }, (_, index) => `h${index + 1}`);
    for (const host of others) {
      bench.assembler.demand(named(host), 0);
      bench.consumer('vhds').onUpdate(answer('all', ['*'], [host]));
      bench.assembler.endDemand(named(host), 0);
    }
    bench.assembler.demand(named('another'), 0);
    const steps = bench.consumer('vhds').takeOver(answer('one', ['h0', 'another'], ['h0', 'another', 'h5']));
    steps.next();
    bench.assembler.demand(named('new'), 0);
    t.notOk(states().has('r/h0'), 'it had to make room, and its answer went with it');
    bench.assembler.demand(named('h0'), 1);
    while (steps.next().done !== true);
    t.same(bench.refusedDemands, ['virtual-host r/another absent for 0'], 'who asked before is to ask again');
    t.equal(states().get('r/h0'), 'waiting');
    bench.consumer('vhds').onUpdate(answer('one', ['h0', 'another'], ['h0', 'another']));
    t.same([states().get('r/h0'), states().get('r/another')], ['present', 'present']);
    bench.turn();
    t.ok(bench.snapshot.routes.get('r')!.virtualHosts.some(({ domains }) => domains.includes('h0')));
  },
);

t.test('of 100,000 hosts whose answers have another host 4,096 are held', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r', 'a').replace(/\}$/, ', vhds: {config_source: {ads: {}}}}') });
  bench.respond('vhds', {});
  const pushed = '{name: pushed, domains: [pushed], routes: [{match: {prefix: /}, route: {cluster: c}}]}';
  bench.respond('vhds', { 'r/pushed': pushed });
  for (let index = 0; index < 100_000; index++) {
    const host = { kind: 'virtual-host', routeConfiguration: 'r', host: `h${index}` } as const;
    bench.assembler.demand(host, 0);
    const message = encodeMessage({ name: 'any', domains: [`other-${index}`] }, 'envoy.config.route.v3.VirtualHost');
    const resources = [{ name: `r/answer ${index}`, version: '1', aliases: [`r/h${index}`], message }];
    bench.consumer('vhds').onUpdate({ version: '1', resources, removed: [] });
    bench.assembler.endDemand(host, 0);
  }
  bench.turn();
  t.equal(bench.refusedDemands.length, 100_000);
  t.equal(bench.states('vhds').length, 4097);
  const { virtualHosts } = bench.snapshot.routes.get('r')!;
  t.equal(virtualHosts.length, 4098, 'with the one that is written, and the one that nobody asked for');
  t.ok(virtualHosts.some(({ domains }) => domains.includes('pushed')));
  t.equal(bench.logged.length, 1);
});

t.test('of 100,000 hosts whose answers are refused 4,096 are known', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r', 'a').replace(/\}$/, ', vhds: {config_source: {ads: {}}}}') });
  bench.respond('vhds', {});
  const refusal = receivedOf('vhds', 'any', { yaml: '{name: any}', version: '1' });
  for (let index = 0; index < 100_000; index++) {
    const host = { kind: 'virtual-host', routeConfiguration: 'r', host: `h${index}` } as const;
    bench.assembler.demand(host, 0);
    const resources = [{ ...refusal, name: `r/answer ${index}`, aliases: [`r/h${index}`] }];
    bench.consumer('vhds').onUpdate({ version: '1', resources, removed: [] });
    bench.assembler.endDemand(host, 0);
  }
  bench.turn();
  t.equal(bench.refusedDemands.length, 100_000);
  t.equal(bench.states('vhds').filter((each) => each.endsWith(' refused')).length, 4096);
  t.equal([...bench.subscriptions].filter((each) => each.startsWith('vhds r/')).length, 4096);
});
