// What a command ends with: text for people, data for programs, and whether it went well.

import { failureText, type LoadFailure } from '../loader/load-failure.ts';

export interface Outcome {
  readonly text: string;
  readonly data: object;
  /**
   * 0: done, or nothing is wrong. 1: it could not be done, or something is wrong. 126: nothing is redirected, by which Istio's
   * CNI plugin knows pods that it has to repair.
   */
  readonly exitCode: 0 | 1 | 126;
}

/** As one line and a way out. */
export function failed(failure: LoadFailure, program = 'outrigger bpf'): Outcome {
  const { reason, wayOut, verifierLog } = failure;
  const log = verifierLog === undefined ? '' : `the verifier said:\n${verifierLog}\n`;
  return {
    text: `${program}: ${failureText(failure)}\n${log}`,
    data: { error: reason, ...(wayOut !== undefined && { wayOut }), ...(verifierLog !== undefined && { verifierLog }) },
    exitCode: 1,
  };
}
