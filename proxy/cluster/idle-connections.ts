// The idle connections of a pool, taken last-in first-out: the youngest is the least likely to be closed by its peer in
// the very moment we use it, and the old ones can retire.
//
// One that became idle in this turn is taken last. Whatever its endpoint sent behind the response is reported at the
// next turn at the earliest; a request that took the connection before would be answered by those bytes.

import type { PooledConnection } from './pooled-connection.ts';

export class IdleConnections {
  /** Idle for a turn at least; the longest idle first. */
  readonly #settled: PooledConnection[] = [];
  /** Became idle in `#turn`. */
  readonly #recent: PooledConnection[] = [];
  #turn = -1;

  /** The connection became idle in `turn` of the reactor. */
  push(connection: PooledConnection, turn: number): void {
    this.#settle(turn);
    connection.notes.idleSinceTurn = turn;
    this.#recent.push(connection);
  }

  /**
   * The youngest that is settled, else the youngest; null when there is none. One whose `idleSinceTurn` is this turn has
   * to be looked at before it is used.
   */
  pop(turn: number): PooledConnection | null {
    this.#settle(turn);
    return this.#settled.pop() ?? this.#recent.pop() ?? null;
  }

  /** Whether it was there. */
  delete(connection: PooledConnection): boolean {
    return remove(this.#settled, connection) || remove(this.#recent, connection);
  }

  /** Takes out, the longest idle first, every settled connection up to the first that may stay. */
  takeWhile(turn: number, mayGo: (connection: PooledConnection) => boolean): PooledConnection[] {
    this.#settle(turn);
    let count = 0;
    while (count < this.#settled.length && mayGo(this.#settled[count]!)) count++;
    return this.#settled.splice(0, count);
  }

  /** Takes out every connection of which this is true. */
  takeEach(mayGo: (connection: PooledConnection) => boolean): PooledConnection[] {
    const taken: PooledConnection[] = [];
    for (const list of [this.#settled, this.#recent]) {
      for (let index = list.length - 1; index >= 0; index--) {
        const connection = list[index]!;
        if (!mayGo(connection)) continue;
        list.splice(index, 1);
        taken.push(connection);
      }
    }
    return taken;
  }

  #settle(turn: number): void {
    if (turn === this.#turn) return;
    this.#turn = turn;
    const recent = this.#recent;
    for (let index = 0; index < recent.length; index++) this.#settled.push(recent[index]!);
    // Setting the length is a call into the engine, which gives the memory back for the next push to ask for again: 0.15 us
    // of the 41 of a request in a profile on a busy machine.
    while (recent.length > 0) recent.pop();
  }
}

function remove(list: PooledConnection[], connection: PooledConnection): boolean {
  const index = list.indexOf(connection);
  if (index < 0) return false;
  list.splice(index, 1);
  return true;
}
