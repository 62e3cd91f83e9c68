// /config_dump beside Envoy's: one bootstrap, one control plane (`outrigger control-plane` over files), with resources in use,
// waiting, refused and leaving. Both pages have the same sections, fields and values; each difference is listed here, and in
// docs/differences-from-envoy.md.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as aTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { findEnvoy } from '../differential/envoy-binary.ts';
import { type ProxyName, ProxyProcess } from '../differential/proxy-process.ts';
import { makeSecretFiles } from '../support/secret-fixtures.ts';
import { bootstrapOf, type DumpedPlaces, firstState, secondState } from './dumped-mesh.ts';

t.setTimeout(120_000);

/** What is not the same, by path, and why. */
const accepted: readonly (readonly [RegExp, string])[] = [
  [/^Bootstrap.*\.initial_metadata\[0\]\.value$/, 'tokens of calls of our own are redacted'],
  [/^Bootstrap.*\.node\.(user_agent|extensions)/, 'each says who it is'],
  [/^Endpoints.*\.dynamic_endpoint_configs\[\w+\]\.(version_info|last_updated)$/, 'members have a version'],
  [/^Endpoints.*\.static_endpoint_configs\[(nobody|control-plane)\]/, 'clusters of gRPC alone serve no requests'],
  [/^Listeners.*\[(changed|refused)\]\.client_status$/, 'a refusal has its status'],
  [/^Listeners.*\[refusal of (changed|refused)\]\.error_state\.version_info$/, 'a refusal has its version'],
  [/^Listeners.*\[refusal of (changed|refused)\]\.error_state\.details$/, 'reasons are in words of our own'],
  [/\.delayed_close_timeout$/, 'durations of the bootstrap stand there as they were written'],
];

const asked = [
  ...['dynamic_active_clusters', 'dynamic_warming_clusters', 'static_clusters', 'static_listeners'],
  ...['dynamic_route_configs', 'static_route_configs', 'dynamic_active_secrets', 'dynamic_warming_secrets'],
  ...['static_secrets', 'dynamic_endpoint_configs', 'dynamic_endpoint_configs&include_eds', 'nothing', 'bootstrap'],
  ...['version_info', 'last_updated', 'ecds_filters', 'dynamic_scoped_route_configs', ''],
  ...['dynamic_active_clusters&mask=cluster.name', 'dynamic_active_clusters&mask=version_info'],
  ...['dynamic_active_clusters&name_regex=s.*', 'dynamic_active_clusters&name_regex=nobody', 'static_clusters&mask='],
].map((query) => `?resource=${query}`);
const alsoAsked = [
  ...['?mask=bootstrap', '?mask=bootstrap.node.id', '?mask=nothing', '?mask=dynamic_active_clusters', '?mask='],
  ...['?name_regex=app', '?name_regex=.*a.*&include_eds', '?name_regex=ap', '?name_regex=(', '?name_regex=', '?other'],
];

const envoy = findEnvoy();
if ('missing' in envoy) t.pass('the comparison of /config_dump with Envoy', { skip: envoy.missing });
else {
  const { path } = envoy;
  t.test('/config_dump is as Envoy has it', (t) => compareDumps(t, path));
}

async function compareDumps(t: Test, envoyPath: string): Promise<void> {
  // A path of a socket has a hundred bytes.
  const directory = mkdtempSync(join(tmpdir(), 'dump-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [controlPlane, nobody] = (await freePorts(2)) as [number, number];
  const places = { controlPlane, nobody, files: makeSecretFiles(directory) };
  const mesh = join(directory, 'mesh');
  mkdirSync(mesh);
  writeFileSync(join(mesh, 'mesh.yaml'), firstState(places));
  await startControlPlane(t, mesh, controlPlane);
  const proxies = await startBoth(t, { envoyPath, directory, places });
  for (const proxy of proxies) await useListener(t, proxy.port('gone'));
  writeFileSync(join(mesh, '.new'), secondState(places));
  renameSync(join(mesh, '.new'), join(mesh, 'mesh.yaml'));
  const [theirs, own] = await settledDumps(t, proxies);
  t.same(sectionsOf(own!), sectionsOf(theirs!));
  const differing = differences(factsOf(theirs!), factsOf(own!));
  t.same(
    differing.filter((text) => !accepted.some(([pattern]) => pattern.test(text.split(': Envoy')[0]!))),
    [],
  );
  for (const [pattern, why] of accepted)
    t.ok(
      differing.some((text) => pattern.test(text.split(': Envoy')[0]!)),
      why,
    );
  for (const query of [...asked, ...alsoAsked]) {
    const [inEnvoy, here] = await Promise.all(
      proxies.map(({ name }) => answerOf(join(directory, name, 'admin.sock'), query)),
    );
    t.same(here, inEnvoy, query);
  }
}

async function startControlPlane(t: Test, mesh: string, port: number): Promise<void> {
  const program = join(import.meta.dirname, '../../control-plane/main.ts');
  const child = spawn(process.execPath, [program, '--dir', mesh, '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill());
  const lines: string[] = [];
  const serving = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (line.includes(' serves ')) resolve();
    });
    child.once('exit', () => reject(new Error(lines.join('\n'))));
  });
  await serving;
}

interface Starting {
  readonly envoyPath: string;
  readonly directory: string;
  readonly places: DumpedPlaces;
}

function startBoth(t: Test, { envoyPath, directory, places }: Starting): Promise<readonly ProxyProcess[]> {
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
  });
  const start = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) =>
    ProxyProcess.start({
      name,
      // What leaves does so longer than the test takes.
      command: [...command, '--drain-time-s', '600'],
      isReady,
      bootstrap: bootstrapOf(places),
      directory: join(directory, name),
      started,
    });
  const ours = [process.execPath, join(import.meta.dirname, '../../proxy/main.ts'), '--no-config-cache'];
  return Promise.all([
    start('envoy', [envoyPath], [/all dependencies initialized. starting workers/]),
    start('outrigger', ours, [/configuration is served/, /admin interface is listening/]),
  ]);
}

/** A connection that has had an answer, and stays open. */
async function useListener(t: Test, port: number): Promise<void> {
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await once(client, 'data');
}

interface Dump {
  readonly configs: readonly Entry[];
}

type Entry = { readonly [field: string]: unknown };

/** Of each proxy, when the second state has arrived with all that it does. */
async function settledDumps(t: Test, proxies: readonly ProxyProcess[]): Promise<readonly Dump[]> {
  const signs = [
    /"dynamic_warming_clusters"/,
    /"warming_state"/,
    /"draining_state"/,
    /"error_state"(.|\n)*"error_state"/,
  ];
  let isOver = false;
  t.teardown(() => {
    isOver = true;
  });
  return Promise.all(
    proxies.map(async (proxy) => {
      for (;;) {
        const text = await proxy.admin('GET', '/config_dump?include_eds');
        if (isOver || signs.every((sign) => sign.test(text))) return JSON.parse(text);
        await aTurn();
      }
    }),
  );
}

function sectionsOf({ configs }: Dump): readonly unknown[] {
  return configs.map((section) => [section['@type'], ...Object.keys(section).sort()]);
}

/** Every value by its path; members of lists are found by name, times and ports that chance gives are the same for both. */
function factsOf({ configs }: Dump): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (const section of configs) addFacts(facts, String(section['@type']).split('.').at(-1)!, section);
  return facts;
}

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;

function addFacts(facts: Map<string, string>, path: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    facts.set(path, typeof value === 'string' && time.test(value) ? 'a time' : JSON.stringify(value));
    return;
  }
  const entries = Array.isArray(value)
    ? value.map((item, index) => [`${path}[${nameOf(item) ?? index}]`, item] as const)
    : Object.entries(value).map(
        ([name, item]) => [`${name === 'error_state' ? refusalOf(path) : path}.${name}`, item] as const,
      );
  if (entries.length === 0) facts.set(path, Array.isArray(value) ? 'an empty list' : 'an empty object');
  for (const [inner, item] of entries) addFacts(facts, inner, item);
}

/** Envoy has it apart from the state that is in use, here it is one entry. */
function refusalOf(path: string): string {
  return path.replace(/\[(?:refusal of )?(\w+)\]$/, '[refusal of $1]');
}

function nameOf(item: Entry): string | undefined {
  const resource = ['cluster', 'listener', 'route_config', 'secret', 'endpoint_config'].map(
    (field) => item?.[field] as Entry | undefined,
  );
  const own = [item, ...resource].find((each) => each?.['name'] !== undefined || each?.['cluster_name'] !== undefined);
  if (own !== undefined) return String(own['name'] ?? own['cluster_name']);
  const refused = (item?.['error_state'] as Entry | undefined)?.['failed_configuration'] as Entry | undefined;
  return refused && `refusal of ${refused['name']}`;
}

function differences(theirs: ReadonlyMap<string, string>, own: ReadonlyMap<string, string>): readonly string[] {
  const paths = [...new Set([...theirs.keys(), ...own.keys()])];
  return paths
    .filter((path) => theirs.get(path) !== own.get(path))
    .map((path) => `${path}: Envoy ${theirs.get(path)}, outrigger ${own.get(path)}`);
}

interface Answer {
  readonly status: number | undefined;
  readonly shown: readonly string[];
}

/** Which entries of which type, or the reason why there are none. Names of refusals are compared above. */
function answerOf(path: string, query: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { socketPath: relative('', path), path: `/config_dump${query}`, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => {
          const { statusCode: status } = response;
          resolve({ status, shown: status === 200 ? shownIn(JSON.parse(text)) : [reasonIn(text)] });
        });
      },
    );
    asking.once('error', reject).end();
  });
}

function shownIn({ configs = [] }: Partial<Dump>): readonly string[] {
  return configs
    .flatMap((entry) => {
      const type = String(entry['@type']).split('.v3.')[1]!;
      const lists = Object.entries(entry).filter(([name]) => name !== 'static_endpoint_configs');
      const inner = lists.flatMap(([list, items]) =>
        Array.isArray(items) ? items.filter(isNoRefusal).map((item) => `${type}.${list} ${nameOf(item)}`) : [],
      );
      return [`${type} ${nameOf(entry) ?? ''} ${Object.keys(entry).filter(isCompared).sort()}`, ...inner.sort()];
    })
    .sort();
}

/** Refusals are shown to everybody by Envoy, and members without a version. */
function isCompared(field: string): boolean {
  return !['version_info', 'last_updated', 'dynamic_listeners', 'static_endpoint_configs'].includes(field);
}

function isNoRefusal(item: Entry): boolean {
  return item['error_state'] === undefined;
}

/** What RE2 says of a pattern is its own matter. */
function reasonIn(text: string): string {
  return text
    .trim()
    .replace('INVALID_ARGUMENT: ', '')
    .replace(/(?<=name_regex from \(: ).*/, '');
}
