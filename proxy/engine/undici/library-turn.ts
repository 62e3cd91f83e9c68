// One turn of the reactor around all that undici calls back about one event of a socket. What a turn has written leaves
// together, and exchanges end when undici has come to an end with its bytes: only then it has said whether the connection
// goes on.

import type { OutputBuffer } from '../../http/http1/output-buffer.ts';
import type { Reactor } from '../../reactor/reactor.ts';

/** What is done at the end of the turn. */
export interface Finishing {
  finish(): void;
}

export class LibraryTurn {
  readonly #reactor: Reactor;
  readonly #output: OutputBuffer;
  readonly #finishing: Finishing[] = [];
  #isOpen = false;

  constructor(reactor: Reactor, output: OutputBuffer) {
    this.#reactor = reactor;
    this.#output = output;
  }

  /** Called first in every callback. The turn ends when the library, and all of Node that called it, have returned. */
  enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#reactor.enter();
    queueMicrotask(this.#end);
  }

  /** Has `one` finish at the end of the turn, which is open. */
  finishLater(one: Finishing): void {
    this.#finishing.push(one);
  }

  readonly #end = (): void => {
    // One that finishes may give its connection to a request that undici refuses at once.
    for (let index = 0; index < this.#finishing.length; index++) this.#finishing[index]!.finish();
    this.#finishing.length = 0;
    this.#output.flush();
    this.#isOpen = false;
    this.#reactor.leave();
  };
}
