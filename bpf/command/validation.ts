// Whether connections are redirected here, as the init container of pods under Istio's CNI plugin finds out before the pod is
// started: somebody else puts the rules in place, and may have come too late. A connection to the address that Istio's rules
// lead back into the pod must arrive at the proxy's ports.
// https://istio.io/latest/docs/setup/additional-setup/cni/#race-condition--mitigation

import { connect, createServer, type Server, type Socket } from 'node:net';
import type { IpFamily } from '../capture/iptables-rules.ts';

export interface ValidationOptions {
  readonly family: IpFamily;
  /** Of the proxy, which does not run yet. */
  readonly ports: readonly number[];
  /** Where nobody listens. */
  readonly probePort: number;
  readonly timeoutMs: number;
}

/** Resolves with why they are not; undefined when one arrived. */
export async function validateRedirection(options: ValidationOptions): Promise<string | undefined> {
  const { family, ports, timeoutMs } = options;
  const { listened } = ADDRESSES[family];
  const arrivals = new Set<number>();
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const probe = new Probe(options, (port) => arrivals.has(port) && resolve(undefined));
  const servers = await Promise.all(ports.map((port) => listenAt(port, listened)));
  for (const server of servers) {
    server?.on('connection', (socket: Socket) => {
      arrivals.add(socket.remotePort ?? 0);
      socket.on('error', () => undefined).destroy();
      if (probe.ports.has(socket.remotePort ?? 0)) resolve(undefined);
    });
  }
  const timeout = setTimeout(() => resolve(`no connection arrived within ${timeoutMs} ms`), timeoutMs);
  if (servers.every((server) => server === undefined)) resolve(`ports ${ports.join(' and ')} are taken`);
  else probe.start();
  const reason = await promise;
  clearTimeout(timeout);
  probe.stop();
  for (const server of servers) server?.close();
  return reason;
}

/** Connects once a second: rules may be on their way. */
class Probe {
  /** That it has connected from. */
  readonly ports = new Set<number>();
  readonly #options: ValidationOptions;
  readonly #onPort: (port: number) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ValidationOptions, onPort: (port: number) => void) {
    this.#options = options;
    this.#onPort = onPort;
  }

  start(): void {
    this.#ask();
    this.#timer = setInterval(() => this.#ask(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #ask(): void {
    const { family, probePort, timeoutMs } = this.#options;
    const { asked, listened } = ADDRESSES[family];
    const socket = connect({ host: asked, port: probePort, localAddress: listened, timeout: timeoutMs });
    socket.on('connect', () => {
      const { localPort = 0 } = socket;
      this.ports.add(localPort);
      this.#onPort(localPort);
      socket.destroy();
    });
    // Not redirected, nobody is there; the next one may be.
    socket.on('error', () => socket.destroy());
    socket.on('timeout', () => socket.destroy());
  }
}

/** Undefined where the port cannot be had: one of them is enough. */
function listenAt(port: number, host: string): Promise<Server | undefined> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<Server | undefined>();
  server.once('error', () => resolve(undefined));
  server.listen({ host, port }, () => resolve(server));
  return promise;
}

const INTERVAL_MS = 1000;
/** As what Istio's sidecars connect to their pod from, so that its rules lead there. */
const ADDRESSES = { 4: { listened: '127.0.0.1', asked: '127.0.0.6' }, 6: { listened: '::1', asked: '::6' } } as const;
