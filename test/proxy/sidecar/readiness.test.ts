import t from 'tap';
import type { FollowedType } from '../../../proxy/sidecar/own-admin.ts';
import { ReadinessProbe } from '../../../proxy/sidecar/readiness.ts';

const live = { isReady: true, reason: 'LIVE' };
const accepted = { hasAnswer: true, isHeld: true, wasAccepted: true, refusal: undefined };
const silent = { hasAnswer: false, isHeld: false, wasAccepted: false, refusal: undefined };
const refused = { ...accepted, wasAccepted: false, refusal: 'virtualInbound: filters: RBAC is not supported' };

function types(clusters: Omit<FollowedType, 'name'>, listeners: Omit<FollowedType, 'name'>): readonly FollowedType[] {
  return [
    { name: 'envoy.config.cluster.v3.Cluster', ...clusters },
    { name: 'envoy.config.listener.v3.Listener', ...listeners },
  ];
}

/** Asked again and again, of a proxy that changes between. */
function startProbe({ needsNames = false } = {}) {
  const proxy: { own: { isReady: boolean; reason: string }; types: readonly FollowedType[] | string } = {
    own: live,
    types: [],
  };
  const lines: string[] = [];
  let asked = 0;
  const timers: { readonly delayMs: number; readonly callback: () => void }[] = [];
  const log = {
    info: (text: string) => lines.push(text),
    warn: ({ reason }: { reason: string }, text: string) => lines.push(`${text}: ${reason}`),
  } as unknown as ConstructorParameters<typeof ReadinessProbe>[0]['log'];
  const probe = new ReadinessProbe({
    admin: {
      readiness: async () => proxy.own,
      followedTypes: async () => {
        asked++;
        return proxy.types;
      },
    },
    log,
    needsNames,
    schedule: (delayMs, callback) => timers.push({ delayMs, callback }),
  });
  const passTime = (): void => {
    for (const { callback } of timers.splice(0)) callback();
  };
  return { proxy, probe, lines, asked: () => asked, timers, passTime };
}

t.test('it is ready when the proxy serves and all clusters and listeners were accepted once', async (t) => {
  const { proxy, probe, asked } = startProbe();
  proxy.own = { isReady: false, reason: 'INITIALIZING' };
  t.same(await probe.check(), proxy.own);
  proxy.own = live;
  t.match(await probe.check(), { isReady: false, reason: /clusters have not come\n.*listeners have not come/ });
  proxy.types = types(accepted, silent);
  t.same(await probe.check(), { isReady: false, reason: 'NO CONFIGURATION: listeners have not come' });
  proxy.types = types(accepted, accepted);
  t.same(await probe.check(), live);
  const before = asked();
  t.same(await probe.check(), live);
  t.equal(asked(), before, 'from then on that is not asked any more');
  proxy.own = { isReady: false, reason: 'DRAINING' };
  t.same(await probe.check(), proxy.own);
});

t.test('a pod whose DNS comes to us is ready when the names of the mesh have come, too', async (t) => {
  const { proxy, probe } = startProbe({ needsNames: true });
  proxy.types = types(accepted, accepted);
  t.same(await probe.check(), { isReady: false, reason: 'NO CONFIGURATION: names of the mesh have not come' });
  proxy.types = [...types(accepted, accepted), { name: 'istio.networking.nds.v1.NameTable', ...accepted }];
  t.same(await probe.check(), live);
});

t.test('what was refused since is asked for once a second at most', async (t) => {
  const { proxy, probe, asked, timers, passTime } = startProbe();
  proxy.types = types(accepted, accepted);
  await probe.check();
  const before = asked();
  proxy.types = types(accepted, { ...accepted, refusal: 'policy' });
  const told = await Promise.all([1, 2, 3].map(() => probe.check({ verbose: true })));
  t.equal(asked(), before + 1);
  for (const { reason } of told) t.match(reason, /REFUSED: listeners, whose last accepted state serves: policy/);
  t.same(
    timers.map(({ delayMs }) => delayMs),
    [1000],
  );
  proxy.types = types(accepted, accepted);
  t.match((await probe.check({ verbose: true })).reason, /REFUSED/);
  passTime();
  t.same(await probe.check({ verbose: true }), live);
});

t.test('a new pod whose policy was refused is not ready, and says which', async (t) => {
  const { proxy, probe } = startProbe();
  proxy.types = types(accepted, refused);
  const reason = 'REFUSED: listeners were never accepted: virtualInbound: filters: RBAC is not supported';
  t.same(await probe.check(), { isReady: false, reason });
  proxy.types = types(accepted, accepted);
  t.same(await probe.check(), live);
});

t.test('what is refused later leaves it ready, and is told when it is asked for', async (t) => {
  const { proxy, probe } = startProbe();
  proxy.types = types(accepted, accepted);
  t.same(await probe.check(), live);
  proxy.types = types(accepted, { ...refused, wasAccepted: true });
  t.same(await probe.check(), live);
  t.same(await probe.check({ verbose: true }), {
    isReady: true,
    reason:
      'LIVE\nREFUSED: listeners, whose last accepted state serves: virtualInbound: filters: RBAC is not supported',
  });
});

t.test('what an earlier run accepted counts until the control plane answers', async (t) => {
  const { proxy, probe } = startProbe();
  const kept = { ...silent, isHeld: true };
  proxy.types = types(kept, kept);
  t.same(await probe.check(), live);
  proxy.types = types(accepted, refused);
  t.match(await probe.check(), { isReady: false, reason: /^REFUSED: listeners were never accepted/ });
});

t.test('an admin interface that does not say is a sidecar that is not ready', async (t) => {
  const { proxy, probe } = startProbe();
  proxy.types = 'the admin interface answered 404';
  t.same(await probe.check(), { isReady: false, reason: proxy.types });
});

t.test('the log has each change once', async (t) => {
  const { proxy, probe, lines } = startProbe();
  proxy.types = types(accepted, refused);
  for (let index = 0; index < 3; index++) await probe.check();
  proxy.types = types(accepted, accepted);
  for (let index = 0; index < 3; index++) await probe.check({ verbose: index > 1 });
  t.equal(lines.length, 2);
  t.match(lines[0], /^the sidecar is not ready: REFUSED: listeners were never accepted/);
  t.equal(lines[1], 'the sidecar is ready');
});
