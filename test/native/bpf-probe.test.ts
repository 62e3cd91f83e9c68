import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { MapType } from '../../native/bpf-map.ts';
import { probeHelper, probeMapType, probeProgramType } from '../../native/bpf-probe.ts';
import { ProgramType } from '../../native/bpf-program.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { openDescriptors } from '../support/open-descriptors.ts';

const canProbe = { skip: bpfSkipReason('root', 'libbpf') ?? false };
/** Numbers of enum bpf_func_id. */
const LOOK_UP = 1;
const SKC_LOOKUP_TCP = 99;
const SK_ASSIGN = 124;
const UNKNOWN = 99_999;

t.test('every type that we use is on a kernel that has it', canProbe, (t) => {
  for (const [name, type] of Object.entries(ProgramType)) t.equal(probeProgramType(type), true, name);
  for (const [name, type] of Object.entries(MapType)) t.equal(probeMapType(type), true, name);
  t.end();
});

t.test('what no kernel has is missing', canProbe, (t) => {
  t.equal(probeProgramType(UNKNOWN), false);
  t.equal(probeMapType(UNKNOWN), false);
  t.equal(probeHelper(ProgramType.sockOps, UNKNOWN), false);
  t.equal(probeHelper(UNKNOWN, LOOK_UP), false);
  t.end();
});

t.test('a helper belongs to some types of programs and not to others', canProbe, (t) => {
  t.equal(probeHelper(ProgramType.cgroupSockAddr, LOOK_UP), true);
  t.equal(probeHelper(ProgramType.cgroupSockAddr, SKC_LOOKUP_TCP), true);
  t.equal(probeHelper(ProgramType.skLookup, SK_ASSIGN), true);
  t.equal(probeHelper(ProgramType.skMsg, SK_ASSIGN), false);
  t.end();
});

t.test('probing leaves nothing open', canProbe, (t) => {
  probeMapType(MapType.sockHash);
  const before = openDescriptors();
  for (let round = 0; round < 20; round++) {
    probeProgramType(ProgramType.skLookup);
    probeMapType(MapType.ringBuffer);
    probeMapType(MapType.skStorage);
    probeHelper(ProgramType.skLookup, SK_ASSIGN);
  }
  t.equal(openDescriptors(), before);
  t.end();
});

t.test('without the right to load programs everything is missing', canProbe, (t) => {
  const folder = join(import.meta.dirname, '../../native');
  const program = `
    import { probeHelper, probeMapType, probeProgramType } from ${JSON.stringify(join(folder, 'bpf-probe.ts'))};
    import { libbpfProblem } from ${JSON.stringify(join(folder, 'libbpf.ts'))};
    const problem = libbpfProblem() ?? null;
    process.setuid(65534);
    console.log(JSON.stringify([problem, probeProgramType(30), probeMapType(15), probeHelper(18, 1)]));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  t.same(JSON.parse(output), [null, false, false, false]);
  t.end();
});
