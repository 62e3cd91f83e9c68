// A foreign call on a thread of its own, beside which this one goes on: the verifier of the kernel takes milliseconds for an
// object, and two at a time take the time of one. A thread of POSIX rather than one of Node's pool, whose outcome only the
// event loop brings: this one can be waited for (pthread_create(3), pthread_join(3)).
//
// The function may not call back: JavaScript has one thread, and that one may be waiting for the end.

import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

export class ForeignThread {
  readonly #id: number;
  #outcome: number | undefined;

  private constructor(id: number) {
    this.#id = id;
  }

  /**
   * Calls the function at `address`, which takes a pointer and returns an int, with `argument`. Undefined where no thread
   * can be had. Whoever began it ends it.
   */
  static begin(address: number, argument: number): ForeignThread | undefined {
    const id = new NativeBuffer(8); // pthread_t
    if (sysCreate(id.address, 0, address, argument) !== 0) return undefined;
    const thread = new ForeignThread(Number(id.bytes.readBigUInt64LE()));
    running.add(thread);
    return thread;
  }

  /** Waits for all that were begun. */
  static waitForAll(): void {
    for (const thread of running) thread.end();
  }

  /** Waits until it has returned: what it returned, every time. */
  end(): number {
    if (this.#outcome === undefined) {
      const outcome = new NativeBuffer(8); // void *, of which an int is the lower half
      const failure = sysJoin(this.#id, outcome.address);
      if (failure !== 0) throw new Error(`a thread cannot be waited for (errno ${failure})`);
      this.#outcome = outcome.bytes.readInt32LE();
      running.delete(this);
    }
    return this.#outcome;
  }
}

const running = new Set<ForeignThread>();

const sysCreate = declare('int', 'pthread_create', ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']) as (
  ...values: [number, number, number, number]
) => number;
const sysJoin = declare('int', 'pthread_join', ['uint64_t', 'uint64_t']) as (id: number, outcome: number) => number;
