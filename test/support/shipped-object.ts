// The objects of bpf/objects/ for tests of what works with them. Ask `bpfSkipReason('objects')` first.

import type { Test } from 'tap';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { type LoadedObject, type LoadOptions, loadObject } from '../../bpf/loader/loaded-object.ts';
import { ObjectFiles, type ObjectName } from '../../bpf/loader/object-files.ts';

export function shippedFiles(): ObjectFiles {
  return succeeded(ObjectFiles.open());
}

/** In the kernel until the end of `t`. */
export function shippedObject(t: Test, name: ObjectName, options: Partial<LoadOptions> = {}): LoadedObject {
  const object = succeeded(loadObject(shippedFiles(), name, { constants: {}, ...options }));
  t.teardown(() => object.close());
  return object;
}

/** Throws a failure as an error, with its way out. */
export function succeeded<Outcome>(outcome: Outcome | LoadFailure): Outcome {
  if (isFailure(outcome)) throw new Error(failureText(outcome));
  return outcome;
}
