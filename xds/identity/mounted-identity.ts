// An identity from files that somebody else puts there and rotates (`FILE_MOUNTED_CERTS`, cert-manager's CSI driver).
//
// Three files cannot be replaced in one step, so between two of them the key is not the certificate's: what was held goes
// on until they belong together.

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { DiscoveryLog, Schedule } from '../client/discovery.ts';
import { FolderWatch } from '../client/folder-watch.ts';
import { HeldIdentity, type Identity, type RunningIdentity } from './identity.ts';
import { endOfCertificate } from './issued-certificate.ts';

export interface MountedIdentityOptions {
  readonly certificatePath: string;
  readonly keyPath: string;
  readonly rootsPath: string;
  readonly schedule: Schedule;
  readonly log: DiscoveryLog;
}

export class MountedIdentity implements RunningIdentity {
  readonly #options: MountedIdentityOptions;
  readonly #held = new HeldIdentity();
  readonly #watches: readonly FolderWatch[];
  #cancelRead: (() => void) | undefined;

  constructor(options: MountedIdentityOptions) {
    this.#options = options;
    const { certificatePath, keyPath, rootsPath, schedule, log } = options;
    const folders = new Set([certificatePath, keyPath, rootsPath].map(dirname));
    this.#watches = [...folders].map(
      (directory) =>
        new FolderWatch({
          directory,
          schedule,
          onEvent: () => this.#readLater(),
          onFailure: (reason) => log('warning', 'certificates cannot be followed', { reason }),
          onRetry: () => this.#readLater(),
        }),
    );
  }

  get current(): Identity | undefined {
    return this.#held.current;
  }

  subscribe(onIdentity: (identity: Identity) => void): () => void {
    return this.#held.subscribe(onIdentity);
  }

  start(): void {
    for (const watch of this.#watches) watch.start();
    this.#read();
  }

  stop(): void {
    this.#cancelRead?.();
    for (const watch of this.#watches) watch.stop();
  }

  /** A rotation is several events in a row. */
  #readLater(): void {
    this.#cancelRead?.();
    this.#cancelRead = this.#options.schedule(SETTLE_MS, () => this.#read());
  }

  #read(): void {
    const { certificatePath, keyPath, rootsPath, log } = this.#options;
    try {
      const certificateChain = readText(certificatePath);
      const privateKey = readText(keyPath);
      const roots = readText(rootsPath);
      const notAfterMs = endOfCertificate(certificateChain, privateKey, certificatePath);
      if (this.#isHeld(certificateChain, roots)) return;
      log('info', `a certificate came from ${certificatePath}`, { until: new Date(notAfterMs).toISOString() });
      this.#held.hold({ certificateChain, privateKey, roots, notAfterMs });
    } catch (error) {
      const what = this.current === undefined ? 'mutual TLS waits for it' : 'the old one holds';
      log('warning', `there is no new certificate: ${what}`, { reason: (error as Error).message });
    }
  }

  #isHeld(certificateChain: string, roots: string): boolean {
    return this.current?.certificateChain === certificateChain && this.current.roots === roots;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} ${cannotBeRead(path, error)}`);
  }
}

const SETTLE_MS = 50;
