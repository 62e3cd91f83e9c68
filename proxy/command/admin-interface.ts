// The process's hold on its admin interface, which is loaded late and may be asked to leave before it is there.

import type { AdminServer, AdminServerOptions } from '../admin/server.ts';

export class AdminInterface {
  #server: AdminServer | null = null;
  #hasLeft = false;

  async start(options: AdminServerOptions): Promise<void> {
    const { AdminServer } = await import('../admin/server.ts');
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
