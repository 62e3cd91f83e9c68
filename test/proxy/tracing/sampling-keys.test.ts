import t from 'tap';
import type { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { RequestHead } from '../../../proxy/http/message.ts';
import type { CompiledRoute } from '../../../proxy/route/compiled-route.ts';
import { CompiledRecording, recordingSettings } from '../../../proxy/tracing/recording-settings.ts';
import { pathTemplate, routeTemplate, SamplingKeys } from '../../../proxy/tracing/sampling-keys.ts';
import { SamplingMemory, thresholdAt } from '../../../proxy/tracing/sampling-memory.ts';
import type { TracingMessage } from '../../../proxy/tracing/tracing-message.ts';
import { otherSlot } from '../../../sampler/key-table.ts';
import { defaultSettings, type SamplingRule } from '../../../sampler/settings.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { forwardAction, routeMatch } from '../../support/route-fixtures.ts';

const rule = (fields: Partial<SamplingRule>): SamplingRule => ({ headers: [], rate: 1, weight: 1, ...fields });

const settings = (rules: readonly SamplingRule[]) =>
  new CompiledRecording(recordingSettings({ ...defaultSettings, rules }, true));

function start(rules: readonly SamplingRule[] = []) {
  const messages: TracingMessage[] = [];
  const memory = new SamplingMemory();
  const keys = new SamplingKeys(settings(rules), memory, (message) => messages.push(message));
  const owners = () => messages.map((message) => (message.kind === 'sampling-key' ? [message.slot, message.key] : []));
  return { keys, memory, owners };
}

function compiled(...[prefix, name]: readonly [string, string]): CompiledRoute {
  const scene = new Scene({ routes: [routeOf(prefix, forwardAction(), { name })] });
  return scene.manager.routes.match(headOf('GET', prefix), scene.manager.context.matchContext)!;
}

function headOf(method: string, path = '/', fields: readonly [string, string][] = []): RequestHead {
  const head = new RequestHead();
  head.method = method;
  head.path = path;
  head.authority = 'shop.example';
  for (const [name, value] of fields) head.headers.append(name, value);
  return head;
}

const clusterOf = (serviceName: string) => ({ serviceName }) as ClusterRuntime;
const cart = clusterOf('cart');

t.test('a key is service, route and method; the same request finds the same slot', async (t) => {
  const { keys, owners } = start();
  const route = compiled('/cart', 'cart-route');
  const slot = keys.slotFor(headOf('GET'), route, cart);
  t.equal(keys.slotFor(headOf('GET'), route, cart), slot);
  const others = ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'CONNECT', 'PROPFIND'].map((method) =>
    keys.slotFor(headOf(method), route, cart),
  );
  t.equal(keys.slotFor(headOf('BREW'), route, cart), others.at(-1), 'rare methods are one');
  t.equal(new Set([slot, ...others]).size, 9);
  t.same(owners()[0], [slot, { service: 'cart', route: 'cart-route', method: 'GET', headerRule: -1 }]);
  t.match(owners().at(-1), onlyItems(others.at(-1), { method: '_OTHER' }));
  t.equal(owners().length, 9);
});

t.test('a route that leads to several clusters has keys for each', async (t) => {
  const { keys, owners } = start();
  const route = compiled('/', '');
  const [a, b] = [clusterOf('a'), clusterOf('b')];
  const slots = [a, b, a, b, null, a].map((cluster) => keys.slotFor(headOf('GET'), route, cluster));
  t.equal(slots[0], slots[2]);
  t.equal(slots[1], slots[3]);
  t.equal(slots[0], slots[5]);
  t.equal(owners().length, 3);
  t.match(owners()[2], onlyItems(slots[4], { service: '', route: '/' }));
});

t.test('a reply without a route has a key of its own', async (t) => {
  const { keys, owners } = start();
  t.equal(keys.slotFor(headOf('GET'), null, null), keys.slotFor(headOf('GET'), null, null));
  t.match(owners(), onlyItems(onlyItems(1, { service: '', route: '', method: 'GET' })));
});

t.test('requests that a rule about headers matches are a key beside, until the rules change', async (t) => {
  const vip = rule({ service: 'cart', headers: [['x-customer', 'gold*']] });
  const { keys, owners } = start([vip]);
  const route = compiled('/', 'shop');
  const gold = headOf('GET', '/', [['X-Customer', 'gold-1']]);
  const plain = keys.slotFor(headOf('GET', '/', [['x-customer', 'tin']]), route, cart);
  const chosen = keys.slotFor(gold, route, cart);
  t.not(chosen, plain);
  t.equal(keys.slotFor(gold, route, cart), chosen);
  t.match(owners()[1], onlyItems(chosen, { headerRule: 0 }));
  keys.settings = settings([]);
  t.equal(keys.slotFor(gold, route, cart), plain);
});

t.test('a slot that gets another owner starts anew', async (t) => {
  const { keys, memory, owners } = start();
  const route = compiled('/', 'shop');
  keys.age(0);
  const slot = keys.slotFor(headOf('GET'), route, cart);
  memory.setThreshold(slot, 'fd70a400000000');
  for (let nowMs = 1000; nowMs <= 130_000; nowMs += 1000) keys.age(nowMs);
  t.same(owners().at(-1), [slot, null]);
  t.equal(keys.slotFor(headOf('POST'), route, cart), slot);
  t.equal(memory.thresholds[thresholdAt(slot)], 0x30);
});

t.test('beyond the slots there are, requests share slot 0', async (t) => {
  const { keys } = start();
  let last = -1;
  for (let number = 0; number < 600; number++) last = keys.slotFor(headOf('GET'), compiled(`/${number}`, ''), cart);
  t.equal(last, otherSlot);
});

t.test('a route without a name is called after its path matcher', async (t) => {
  const template = (path: Parameters<typeof routeMatch>[0]) =>
    routeTemplate({ name: '', config: { match: routeMatch(path) } } as CompiledRoute);
  t.equal(template({ kind: 'prefix', value: '/a' }), '/a');
  t.equal(template({ kind: 'path', value: '/b' }), '/b');
  t.equal(template({ kind: 'regex', regex: '/c/.*' }), '/c/.*');
  t.equal(template({ kind: 'connect' }), 'CONNECT');
  t.equal(pathTemplate(compiled('/cart', 'named')), '/cart');
});

t.test('a key that is not to be kept is not, before the main thread has heard of it', async (t) => {
  const { keys, memory } = start([rule({ route: '/health', rate: 0 })]);
  const thresholdOf = (slot: number) =>
    Buffer.from(memory.thresholds.subarray(thresholdAt(slot), thresholdAt(slot) + 14)).toString();
  const cartSlot = keys.slotFor(headOf('GET'), compiled('/cart', ''), cart);
  const healthSlot = keys.slotFor(headOf('GET'), compiled('/health', ''), cart);
  t.equal(thresholdOf(cartSlot), '0'.repeat(14));
  t.equal(thresholdOf(healthSlot), 'g'.repeat(14));
});
