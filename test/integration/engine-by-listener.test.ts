// Each listener is served by the engine that it names, with the way upstream that belongs to it.

import t from 'tap';
import { close } from '../../native/socket.ts';
import type { DownstreamEngine } from '../../proxy/engine/downstream-engine.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { onEachRequest, RawOrigin } from '../support/raw-origin.ts';

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

/** Takes connections, and says how many by closing them. */
class ClosingEngine implements DownstreamEngine {
  taken = 0;
  carries(): boolean {
    return true;
  }
  start(descriptor: number): void {
    this.taken++;
    close(descriptor);
  }
  close(): void {}
  abandon(): void {}
}

t.test(
  'a listener that names our own engine is not served by the other, though it is the choice of the process',
  async (t) => {
    const origin = await RawOrigin.start(t, (connection) => onEachRequest(connection, () => connection.write(hello)));
    const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])]);
    const downstream = new ClosingEngine();
    const plane = await startDataPlane({
      downstream,
      listeners: [
        httpListener('unnamed', manager),
        { ...httpListener('own', manager), engine: 'reactor' },
        { ...httpListener('uws', manager), engine: 'uws' },
      ],
      clusters: [clusterOf('app', [origin.port])],
    });
    t.teardown(() => plane.stop());
    const own = await RawClient.open(plane.ports.get('own')!);
    await own.write(get);
    t.match(await own.until((all) => all.endsWith('hello')), /^HTTP\/1\.1 200 OK\r\n/);
    own.close();
    t.equal(downstream.taken, 0);
    for (const name of ['unnamed', 'uws']) {
      const client = await RawClient.open(plane.ports.get(name)!);
      await client.until(() => false);
    }
    t.equal(downstream.taken, 2);
  },
);
