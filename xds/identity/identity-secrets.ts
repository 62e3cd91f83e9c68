// The identity of this process, told as secrets to whoever subscribes by Istio's names: `default` is the certificate with
// its key, `ROOTCA` the roots. It stands where a stream to an agent's socket would be (`sds-grpc`), so that listeners and
// clusters of a mesh mean what they say.

import type { SourceStatus, TypeStatus } from '../../config/dynamic-state.ts';
import type { RunningSource } from '../client/cached-source.ts';
import type { DiscoveryLog, ResourceConsumer } from '../client/discovery.ts';
import type { DiscoveryObserver } from '../client/discovery-observer.ts';
import { refusalText } from '../client/refusal-text.ts';
import { encodeMessage } from '../message/wire-message.ts';
import type { Identity, OwnIdentity } from './identity.ts';

export interface IdentitySecretsOptions {
  /** As in `SourceStatus.name`. */
  readonly name: string;
  readonly identity: OwnIdentity;
  readonly consumer: ResourceConsumer;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  readonly log: DiscoveryLog;
  readonly observer?: DiscoveryObserver;
}

export class IdentitySecrets implements RunningSource {
  readonly #options: IdentitySecretsOptions;
  readonly #subscribed = new Set<string>();
  #version = 0;
  #connection: SourceStatus['connection'] = { kind: 'connecting' };
  #judged: Pick<TypeStatus, 'lastAck' | 'lastNack'> = {};
  #isDue = false;
  #unsubscribe: (() => void) | undefined;

  constructor(options: IdentitySecretsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#unsubscribe = this.#options.identity.subscribe(() => {
      this.#version++;
      this.#giveLater();
    });
    this.#giveLater();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** A name that nobody here has is not there, and that is known at once. */
  subscribe(typeUrl: string, name: string): void {
    if (!this.#subscribed.has(name)) this.#options.observer?.onSubscribe?.(typeUrl, name);
    this.#subscribed.add(name);
    if (isOwn(name)) this.#giveLater();
    else this.#options.defer(() => this.#options.consumer.onAbsent(name));
  }

  unsubscribe(typeUrl: string, name: string): void {
    if (this.#subscribed.delete(name)) this.#options.observer?.onUnsubscribe?.(typeUrl, name);
  }

  status(): SourceStatus {
    const { name, consumer } = this.#options;
    const type = {
      typeUrl: consumer.type.typeUrl,
      isWildcard: false,
      subscribed: [...this.#subscribed],
      heldCount: [...consumer.heldVersions()].length,
      version: String(this.#version),
      responses: this.#version,
      bytesReceived: 0,
      lastApplyMs: 0,
      ...this.#judged,
    };
    return {
      name,
      target: 'the identity of this process',
      protocol: 'own',
      connection: this.#connection,
      types: [type],
    };
  }

  #giveLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.defer(() => {
      this.#isDue = false;
      if (this.#unsubscribe !== undefined) this.#give();
    });
  }

  #give(): void {
    const { identity, consumer, clock, log, observer } = this.#options;
    const { current } = identity;
    if (current === undefined) return;
    if (this.#connection.kind === 'connecting') {
      this.#connection = { kind: 'connected', sinceMs: clock(), controlPlane: '' };
    }
    const version = String(this.#version);
    const resources = [...this.#subscribed].filter(isOwn).map((name) => {
      const message = encodeMessage(secretOf(name, current), SECRET);
      return { name, version, aliases: [], message };
    });
    if (resources.length === 0) return;
    const startMs = clock();
    const refused = consumer.onUpdate({ version, resources, removed: [] });
    observer?.onResponse?.({
      typeUrl: consumer.type.typeUrl,
      version,
      names: resources.map(({ name }) => name),
      removed: [],
      isWhole: false,
      hasNamed: true,
      refused,
      bytes: 0,
      applyMs: clock() - startMs,
    });
    if (refused.length === 0) {
      this.#judged = { ...this.#judged, lastAck: { version, atMs: clock() } };
      return;
    }
    const reason = refusalText(refused);
    this.#judged = { ...this.#judged, lastNack: { version, atMs: clock(), text: reason } };
    log('error', 'the identity of this process is refused', { reason });
  }
}

function isOwn(name: string): name is OwnName {
  return name === 'default' || name === 'ROOTCA';
}

type OwnName = 'default' | 'ROOTCA';

/** `extensions.transport_sockets.tls.v3.Secret`. */
function secretOf(name: OwnName, { certificateChain, privateKey, roots }: Identity) {
  if (name === 'ROOTCA') return { name, validationContext: { trustedCa: { inlineString: roots } } };
  return {
    name,
    tlsCertificate: {
      certificateChain: { inlineString: certificateChain },
      privateKey: { inlineString: privateKey },
    },
  };
}

const SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret';
