// Node's calls on files throw; failures of the loader are values.

import { type LoadFailure, systemFailure } from './load-failure.ts';

/** Runs `action`; `what` says what it attempts, as `systemFailure` wants it. Errors that are none of the system's go on. */
export function attemptOnFiles(what: string, action: () => void): LoadFailure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return systemFailure(what, errno);
  }
}
