// The process's hold on its admin interface, which is loaded late and may be asked to leave before it is there.
//
// Loading it takes 20 ms of a core that the workers need for the first request, so it comes behind that; but not much later
// where there is nothing to serve yet, because who waits for a configuration asks it what is missing. Its address is taken
// before: a listener that a control plane sends for the same address is what is refused then, and who asks early waits.

import type { Address } from '../../config/address.ts';
import { close } from '../../native/socket.ts';
import type { AdminAccessLogOptions } from '../admin/access-log.ts';
import type { AdminServer, AdminServerOptions } from '../admin/server.ts';
import { openListeningDescriptor } from '../reactor/listening-socket.ts';

const delayMs = 50;
const longestWaitMs = 500;

export interface AdminInterfaceOptions {
  readonly loadServer: () => Promise<Pick<typeof import('../admin/server.ts'), 'AdminServer'>>;
  readonly schedule: (delayMs: number, callback: () => void) => void;
}

export class AdminInterface {
  readonly #options: AdminInterfaceOptions;
  #server: AdminServer | null = null;
  #isServing = false;
  #begin: (() => void) | null = null;
  #hasLeft = false;
  /** The socket, until it is the server's. */
  #reserved: number | undefined;

  constructor(options: AdminInterfaceOptions) {
    this.#options = options;
  }

  /** Takes the address, which is free. One that cannot be taken is what the server ends the process with. */
  reserve(address: Address): void {
    // A file of a Unix socket goes with the server that made it.
    if (this.#hasLeft || address.kind !== 'ip') return;
    const descriptor = openListeningDescriptor(address, { ipv4Compatible: true });
    if (descriptor >= 0) this.#reserved = descriptor;
  }

  /** To be loaded soon; its address is free, or reserved. Without `logs` its requests are not logged. */
  open(options: AdminServerOptions, logs?: AdminAccessLogOptions): void {
    this.#begin = () => {
      this.#begin = null;
      void this.#start(options, logs);
    };
    this.#options.schedule(this.#isServing ? delayMs : longestWaitMs, () => this.#begin?.());
  }

  /** The first configuration is served. */
  onServing(): void {
    this.#isServing = true;
    if (this.#begin !== null) this.#options.schedule(delayMs, () => this.#begin?.());
  }

  async #start(options: AdminServerOptions, logs: AdminAccessLogOptions | undefined): Promise<void> {
    const { AdminServer } = await this.#options.loadServer();
    const accessLog = logs && (await openAccessLog(logs));
    if (this.#hasLeft) return;
    this.#server = new AdminServer({ ...options, accessLog });
    this.#server.listen({ descriptor: this.#reserved });
    this.#reserved = undefined;
  }

  /** The address is a successor's, from now on or before it was ours. */
  leave(): void {
    this.#hasLeft = true;
    if (this.#reserved !== undefined) close(this.#reserved);
    this.#reserved = undefined;
    this.#server?.leave();
  }
}

// Formats are of the workers: few proxies need them here.
async function openAccessLog(logs: AdminAccessLogOptions) {
  const { AdminAccessLog } = await import('../admin/access-log.ts');
  return new AdminAccessLog(logs);
}
