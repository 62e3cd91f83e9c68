// Leads both proxies through a sequence of pushes, and compares after each what requests and operators see.

import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setImmediate as aTurn } from 'node:timers/promises';
import { type Json, logFields } from '../differential/bootstrap.ts';
import { type ProxyName, ProxyProcess } from '../differential/proxy-process.ts';
import { programFile } from '../support/program-file.ts';
import { type Facts, readState } from './followed-state.ts';
import type { Mesh } from './mesh.ts';
import { PushingControlPlane } from './pushing-control-plane.ts';

export interface Sequence {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The bootstrap beside its dynamic resources. */
  readonly bootstrap?: Json;
  readonly initialFetchTimeout?: string;
  /** The control plane comes with the second step. */
  readonly startsAlone?: true;
}

export interface Step {
  readonly name: string;
  /** Nothing is pushed when left out. */
  readonly mesh?: Mesh;
  /** What becomes of the control plane before the push. */
  readonly controlPlane?: 'stops' | 'starts';
  /** Answers of both proxies by port and path: status and body, or the reason why there is none. */
  readonly answers?: readonly Asked[];
}

export type Asked = readonly [port: number, path: string, answer: string];

export interface Difference {
  readonly sequence: string;
  readonly protocol: string;
  readonly step: string;
  readonly field: string;
  readonly envoy: string;
  readonly outrigger: string;
}

export interface ComparisonOptions {
  readonly envoyPath: string;
  readonly directory: string;
  readonly protocol: 'DELTA_GRPC' | 'GRPC';
  readonly addresses: Readonly<Record<ProxyName, string>>;
  readonly isAccepted: (difference: Difference) => boolean;
}

const OUTRIGGER = programFile('proxy/main.ts');
/** Connections of what was replaced are ended with their next response, not by chance in the course of minutes. */
const draining = ['--drain-strategy', 'immediate', '--drain-time-s', '1'];
export const absent = '(absent)';
/** What is not the same after so long is a difference; timeouts of the sequences are a second. */
const settlingMs = 8000;
/** Proxies try again to connect after up to thirty seconds. */
const reconnectMs = 40_000;

export async function compareSequence(sequence: Sequence, options: ComparisonOptions): Promise<Difference[]> {
  const controlPlane = new PushingControlPlane(new Map(Object.entries(options.addresses)));
  const port = await controlPlane.start();
  const started: ProxyProcess[] = [];
  const clients: Client[] = [];
  const differences: Difference[] = [];
  const place = { sequence: sequence.name, protocol: options.protocol };
  try {
    if (sequence.startsAlone) await controlPlane.stop();
    else controlPlane.push(sequence.steps[0]!.mesh!);
    const proxies = await startBoth(sequence, { ...options, port, started });
    clients.push(...proxies.map((proxy) => new Client(proxy, options.addresses[proxy.name])));
    for (const step of sequence.steps) {
      if (step.controlPlane === 'stops') await controlPlane.stop();
      if (step.controlPlane === 'starts') await controlPlane.start();
      if (step.mesh !== undefined) controlPlane.push(step.mesh);
      const isPushed = (): boolean => step.mesh === undefined || controlPlane.isAnswered;
      const isAccepted = (found: StepDifference): boolean => options.isAccepted({ ...found, ...place });
      const found = await compareStep(step, { clients, isPushed, isAccepted });
      differences.push(...found.map((each) => ({ ...each, ...place })));
    }
    return differences;
  } finally {
    for (const client of clients) client.close();
    for (const proxy of started) proxy.kill();
    await controlPlane.stop();
  }
}

interface Starting extends ComparisonOptions {
  readonly port: number;
  readonly started: ProxyProcess[];
}

function startBoth(sequence: Sequence, options: Starting): Promise<ProxyProcess[]> {
  const { envoyPath, directory, protocol, port, started } = options;
  const start = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) =>
    ProxyProcess.start({
      name,
      command,
      isReady,
      bootstrap: bootstrapOf(sequence, { nodeId: name, protocol, port }),
      directory: join(directory, name),
      started,
    });
  return Promise.all([
    start('envoy', [envoyPath, ...draining], [/starting main dispatch loop/]),
    start(
      'outrigger',
      [process.execPath, OUTRIGGER, '--no-config-cache', ...draining],
      [/admin interface is listening/],
    ),
  ]);
}

interface Followed {
  readonly nodeId: string;
  readonly protocol: string;
  readonly port: number;
}

function bootstrapOf(
  { bootstrap = {}, initialFetchTimeout = '15s' }: Sequence,
  { nodeId, protocol, port }: Followed,
): Json {
  const ads = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: initialFetchTimeout };
  const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } };
  const statics = (bootstrap['static_resources'] ?? {}) as { clusters?: readonly Json[] };
  const controlPlane = {
    name: 'control-plane',
    type: 'STATIC',
    connect_timeout: '10s',
    http2_protocol_options: {},
    load_assignment: { cluster_name: 'control-plane', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
  return {
    node: { id: nodeId, cluster: 'tests' },
    admin: { address: { pipe: { path: 'admin.sock' } } },
    dynamic_resources: {
      ads_config: {
        api_type: protocol,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    ...bootstrap,
    static_resources: { ...statics, clusters: [controlPlane, ...(statics.clusters ?? [])] },
  };
}

interface Watching {
  readonly clients: readonly Client[];
  readonly isPushed: () => boolean;
  readonly isAccepted: (difference: StepDifference) => boolean;
}

type StepDifference = Omit<Difference, 'sequence' | 'protocol'>;

/** Looks until both show the same and answer as they should. */
async function compareStep(step: Step, { clients, isPushed, isAccepted }: Watching): Promise<StepDifference[]> {
  const deadline = Date.now() + (step.controlPlane === 'starts' ? reconnectMs : settlingMs);
  while (!isPushed() && Date.now() < deadline) await aTurn();
  for (;;) {
    const [envoy, outrigger] = await Promise.all(clients.map((client) => client.observe(step)));
    const differences = compareFacts(step, envoy!, outrigger!).filter((difference) => !isAccepted(difference));
    if (differences.length === 0 || Date.now() >= deadline) return differences;
  }
}

function compareFacts({ name: step, answers = [] }: Step, envoy: Facts, outrigger: Facts): StepDifference[] {
  const differences: StepDifference[] = [];
  const wanted = new Map(answers.map(([port, path, answer]) => [answerField(port, path), answer]));
  for (const field of new Set([...envoy.keys(), ...outrigger.keys()])) {
    const values = { envoy: envoy.get(field) ?? absent, outrigger: outrigger.get(field) ?? absent };
    const answer = wanted.get(field);
    if (answer !== undefined && values.envoy === values.outrigger && values.envoy !== answer) {
      differences.push({ step, field: `${field} should be ${answer}`, ...values });
    } else if (values.envoy !== values.outrigger) differences.push({ step, field, ...values });
  }
  return differences;
}

/** What a local reply says is compared elsewhere. */
function described(status: number, body: string): string {
  return status === 200 || status === 418 ? `${status} ${body}` : String(status);
}

function answerField(port: number, path: string): string {
  return `answer.${port}${path}`;
}

/** Asks one proxy, each of its listeners over one connection as long as that is kept. */
class Client {
  readonly #proxy: ProxyProcess;
  readonly #address: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  /** By port of the listener: our port, and how many connections there were. */
  readonly #connections = new Map<number, { port: number; count: number }>();
  #requests = 0;

  constructor(proxy: ProxyProcess, address: string) {
    this.#proxy = proxy;
    this.#address = address;
  }

  async observe({ answers = [] }: Step): Promise<Facts> {
    const facts = new Map<string, string>();
    for (const [port, path] of answers) await this.#ask(port, path, facts);
    for (const [field, value] of await readState(this.#proxy, this.#address)) facts.set(field, value);
    return facts;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #ask(port: number, path: string, facts: Map<string, string>): Promise<void> {
    const id = `${this.#proxy.name}-${++this.#requests}`;
    const answer = await this.#answer(port, path, id);
    facts.set(answerField(port, path), answer);
    facts.set(`connections.${port}`, String(this.#connections.get(port)?.count ?? 0));
    if (/^\d/.test(answer)) facts.set(`flags.${port}${path}`, await this.#responseFlags(id));
  }

  #answer(port: number, path: string, id: string): Promise<string> {
    return new Promise((resolve) => {
      // Without x-forwarded-for and the like an id from outside is kept.
      const headers = { 'x-request-id': id };
      const asked = request({ host: this.#address, port, path, headers, agent: this.#agent }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => {
          body += text;
        });
        response.once('end', () => resolve(described(response.statusCode!, body)));
      });
      asked.once('socket', (socket) => {
        const note = (): void => this.#note(port, socket.localPort!);
        if (socket.connecting) socket.once('connect', note);
        else note();
      });
      asked.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      asked.end();
    });
  }

  #note(port: number, own: number): void {
    const known = this.#connections.get(port);
    if (known?.port !== own) this.#connections.set(port, { port: own, count: (known?.count ?? 0) + 1 });
  }

  async #responseFlags(id: string): Promise<string> {
    const flags = logFields.indexOf('RESPONSE_FLAGS');
    for (;;) {
      const line = this.#proxy.accessLog().find((line) => line.split('\t').includes(id));
      if (line !== undefined) return line.split('\t')[flags]!;
      await aTurn();
    }
  }
}
