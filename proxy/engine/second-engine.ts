// The second engine, `--engine uws`: uWebSockets.js towards clients, undici towards endpoints. What it is for, and what it
// leaves to our own codec, is in docs/engines.md.

import type { DownstreamEngine } from './downstream-engine.ts';
import { loadUndici, type UndiciConnectorMaker } from './undici/undici-connector.ts';
import { UwsEngine } from './uws/engine.ts';
import { loadUws } from './uws/library.ts';

/** Options of a worker. */
export interface SecondEngine {
  /** uWebSockets.js has its sockets there, and undici its callbacks. */
  readonly onNodeLoop: true;
  readonly downstream: DownstreamEngine;
  readonly makeConnector: UndiciConnectorMaker;
}

/** Throws an error that says what is missing and what helps. */
export async function loadSecondEngine(): Promise<SecondEngine> {
  return { onNodeLoop: true, downstream: new UwsEngine(loadUws()), makeConnector: await loadUndici() };
}
