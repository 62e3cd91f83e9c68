// The process's hold on its admin interface, which is loaded late and may be asked to leave before it is there.
//
// Loading it takes 20 ms of a core that the workers need for the first request, so it comes behind that; but not much later
// where there is nothing to serve yet, because who waits for a configuration asks it what is missing.

import type { AdminServer, AdminServerOptions } from '../admin/server.ts';

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

  constructor(options: AdminInterfaceOptions) {
    this.#options = options;
  }

  /** To be loaded soon; its address is free. */
  open(options: AdminServerOptions): void {
    this.#begin = () => {
      this.#begin = null;
      void this.#start(options);
    };
    this.#options.schedule(this.#isServing ? delayMs : longestWaitMs, () => this.#begin?.());
  }

  /** The first configuration is served. */
  onServing(): void {
    this.#isServing = true;
    if (this.#begin !== null) this.#options.schedule(delayMs, () => this.#begin?.());
  }

  async #start(options: AdminServerOptions): Promise<void> {
    const { AdminServer } = await this.#options.loadServer();
    if (this.#hasLeft) return;
    this.#server = new AdminServer(options);
    this.#server.listen();
  }

  /** The address is a successor's, from now on or before it was ours. */
  leave(): void {
    this.#hasLeft = true;
    this.#server?.leave();
  }
}
