// Any pod may use up the descriptors of this process: what opens files for a peer turns that one away then, and goes on.

/** What `call` returns, or, when it threw for want of a descriptor, a sentence for the peer. What it opened is its to close. */
export function unlessExhausted<Outcome>(call: () => Outcome): Outcome | string {
  try {
    return call();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    return noDescriptorLeft;
  }
}

export const noDescriptorLeft = 'this agent has no file descriptor left (ulimit -n)';
