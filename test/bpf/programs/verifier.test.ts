// Constants decide which branches the verifier sees, capabilities how much it trusts them: every program has to pass with
// each constant on, with what a sidecar has at most. Without CAP_PERFMON no pointer may be computed.

import { spawnSync } from 'node:child_process';
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
const MAX_INSTRUCTIONS = 1000;

/** Given to this file when it runs itself. */
const FEW_CAPABILITIES = '--few-capabilities';

const hasFew = process.argv.includes(FEW_CAPABILITIES);
const skip = bpfSkipReason(...(hasFew ? [] : ['root' as const]), 'libbpf', 'objects') ?? false;

for (const name of ['outbound', 'inbound', 'shortcut', 'events'] as const) {
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

if (!hasFew) {
  t.test('so they do with CAP_BPF and CAP_NET_ADMIN alone', { skip }, (t) => {
    const command = ['--bounding-set=-all,+bpf,+net_admin', process.execPath, import.meta.filename, FEW_CAPABILITIES];
    const { error, status, stdout } = spawnSync('setpriv', command, { encoding: 'utf8' });
    t.equal(error, undefined);
    t.equal(status, 0, stdout);
    t.match(stdout, /pass: \d\d/, 'something was tried');
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
