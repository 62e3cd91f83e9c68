// Constants decide which branches the verifier sees: every program has to pass with each of them on.

import t, { type Test } from 'tap';
import type { ConstantValues } from '../../../bpf/loader/constant-writer.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { loadObject } from '../../../bpf/loader/loaded-object.ts';
import { ObjectFiles, type ObjectName } from '../../../bpf/loader/object-files.ts';
import { LAYOUTS } from '../../../bpf/loader/object-layouts.ts';
import { programInfo } from '../../../native/bpf-info.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';

const INSTRUCTION_BYTES = 8;
/** Far below the kernel's limit: what grows beyond it is a mistake, such as a loop that was unrolled. */
const MAX_INSTRUCTIONS = 600;

const skip = bpfSkipReason('root', 'libbpf', 'objects') ?? false;

for (const name of ['outbound', 'inbound'] as const) {
  t.test(`every program of ${name} passes the verifier, whatever is captured`, { skip }, (t) => {
    const { constants } = LAYOUTS[name];
    const highest = Object.fromEntries(constants.map(({ name, bytes }) => [name, (1n << BigInt(bytes * 8)) - 1n]));
    const lowest = Object.fromEntries(constants.map(({ name }) => [name, 0n]));
    check(t, name, {});
    check(t, name, lowest);
    check(t, name, highest);
    for (const constant of constants) {
      check(t, name, { ...lowest, [constant.name]: 1n });
      check(t, name, { ...highest, [constant.name]: 0n });
    }
    t.end();
  });
}

function check(t: Test, name: ObjectName, constants: ConstantValues): void {
  const files = ObjectFiles.open();
  if (isFailure(files)) throw new Error(files.reason);
  const object = loadObject(files, name, { constants });
  if (isFailure(object)) {
    t.fail(`${JSON.stringify(Object.entries(constants).map(String))}: ${object.reason}`);
    return;
  }
  const sizes = LAYOUTS[name].programs.map((program) => {
    const info = programInfo(object.programFd(program.name));
    if (typeof info === 'number') throw new Error(`program ${program.name}: ${info}`);
    return [program.name, info.xlatedBytes / INSTRUCTION_BYTES] as const;
  });
  object.close();
  const long = sizes.filter(([, instructions]) => instructions > MAX_INSTRUCTIONS);
  t.same(long, [], sizes.map(([program, instructions]) => `${program} ${instructions}`).join(', '));
}
