// uWebSockets.js as the codec of plain HTTP connections (docs/engines.md). The reactor accepts, applies limits and listener
// filters and chooses the filter chain; connections are handed to the library by descriptor.
//
// The library does not tell which connection a request came by, only which app it belongs to. So each open connection has
// an app of its own; they are used again and again, because making one costs 180 us and 30 KB (measured) and none is ever
// given back.

import type { ConnectionManager } from '../../http/connection-manager.ts';
import type { ListenerConnection } from '../../listener/listener-connection.ts';
import type { DownstreamEngine } from '../downstream-engine.ts';
import { type LibrarySockets, UwsConnection } from './connection.ts';
import type { UwsApp, UwsLibrary, UwsSocket } from './library.ts';

export class UwsEngine implements DownstreamEngine, LibrarySockets {
  readonly #library: UwsLibrary;
  readonly #slots: UwsSlot[] = [];
  readonly #free: UwsSlot[] = [];

  constructor(library: UwsLibrary) {
    this.#library = library;
  }

  /** It cannot send trailers. */
  carries({ config }: ConnectionManager): boolean {
    return !config.http1.enableTrailers;
  }

  start(descriptor: number, manager: ConnectionManager, connection: ListenerConnection, maxKeptBytes: number): void {
    connection.stream = new UwsConnection({ sockets: this, descriptor, manager, connection, maxKeptBytes });
  }

  adopt(descriptor: number, connection: UwsConnection): void {
    const slot = this.#free.pop() ?? this.#addSlot();
    slot.adopt(descriptor, connection);
  }

  #addSlot(): UwsSlot {
    const slot = new UwsSlot(this.#library, this.#free);
    this.#slots.push(slot);
    return slot;
  }

  close(): void {
    for (const slot of this.#slots) slot.close();
  }

  /** Node ends the process when the loop of a thread that ends has the library's sockets on it. */
  abandon(): void {
    for (const slot of this.#slots) slot.abandon();
  }
}

/** An app, and the connection that has it. */
class UwsSlot {
  readonly #app: UwsApp;
  readonly #free: UwsSlot[];
  #connection: UwsConnection | null = null;

  constructor(library: UwsLibrary, free: UwsSlot[]) {
    this.#free = free;
    this.#app = library
      .App()
      .filter((socket, change) => this.#onChange(socket, change))
      .any('/*', (response) => {
        this.#connection!.onRequest(response);
      })
      // Deadlines are ours.
      .setIdleTimeout(0)
      .setResponseTimeout(0);
  }

  #onChange(socket: UwsSocket, change: number): void {
    const connection = this.#connection;
    if (connection === null) return;
    if (change > 0) {
      connection.onAdopted(socket);
      return;
    }
    this.#connection = null;
    this.#free.push(this);
    connection.onGone();
  }

  adopt(descriptor: number, connection: UwsConnection): void {
    this.#connection = connection;
    this.#app.adoptSocket(descriptor);
  }

  close(): void {
    if (this.#connection !== null) this.#app.close();
  }

  abandon(): void {
    if (this.#connection === null) return;
    this.#connection = null;
    this.#app.close();
  }
}
