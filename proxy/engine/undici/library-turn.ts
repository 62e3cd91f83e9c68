// A turn of the reactor around what undici does by itself, outside of every event of the reactor: it writes a request when
// the loop has gone round once, and takes from a body when it likes. What a turn has written leaves together.

import type { OutputBuffer } from '../../http/http1/output-buffer.ts';
import type { Reactor } from '../../reactor/reactor.ts';

export class LibraryTurn {
  readonly #reactor: Reactor;
  readonly #output: OutputBuffer;
  #isOpen = false;

  constructor(reactor: Reactor, output: OutputBuffer) {
    this.#reactor = reactor;
    this.#output = output;
  }

  /** Called first by whatever needs a turn. It ends when the library, and all of Node that called it, have returned. */
  enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#reactor.enter();
    queueMicrotask(this.#end);
  }

  readonly #end = (): void => {
    this.#output.flush();
    this.#isOpen = false;
    this.#reactor.leave();
  };
}
