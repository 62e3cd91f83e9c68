import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { libbpfAddress, libbpfProblem } from '../../native/libbpf.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';

const IMPORTS = `
import { readFileSync } from 'node:fs';
${importOf('libbpf.ts', 'libbpfProblem')}
${importOf('bpf-object.ts', 'BpfObject')}
${importOf('bpf-link.ts', 'attachedPrograms', 'createLink', 'pin')}
${importOf('bpf-map.ts', 'createMap')}
${importOf('bpf-info.ts', 'nextProgramId')}
${importOf('bpf-probe.ts', 'probeHelper', 'probeMapType', 'probeProgramType')}
`;

t.test('a library that is not there is a sentence with the way out', (t) => {
  const problem = libbpfProblem('libbpf-of-nobody.so.9')!;
  t.match(problem, /^libbpf-of-nobody\.so\.9 cannot be loaded \(.*No such file.*\): install libbpf 1\.x/);
  t.notOk(problem.includes('\n'));
  t.end();
});

t.test('a library that is another one is no libbpf', (t) => {
  t.match(libbpfProblem('libc.so.6'), /^libc\.so\.6 is not libbpf 1\.x/);
  t.end();
});

t.test('one that is there is no problem', { skip: bpfSkipReason('libbpf') ?? false }, (t) => {
  t.equal(libbpfProblem(), undefined);
  t.end();
});

t.test('its functions have addresses', { skip: bpfSkipReason('libbpf') ?? false }, (t) => {
  t.ok(libbpfAddress('bpf_object__load') > 0);
  t.not(libbpfAddress('bpf_object__load'), libbpfAddress('bpf_object__close'));
  t.end();
});

t.test('nothing is loaded before the first call', { skip: bpfSkipReason('libbpf') ?? false }, (t) => {
  const output = run(`
    ${IMPORTS}
    const isLoaded = () => readFileSync('/proc/self/maps', 'latin1').includes('libbpf');
    const before = isLoaded();
    probeMapType(1);
    console.log(JSON.stringify([before, isLoaded()]));
  `);
  t.same(JSON.parse(output), [false, true]);
  t.end();
});

t.test('without the library every call is -ENOSYS, and nothing throws', { skip: hiding() ?? false }, (t) => {
  const output = run(
    `
    ${IMPORTS}
    console.log(JSON.stringify({
      problem: libbpfProblem(),
      calls: [BpfObject.open(Buffer.from('ELF'), 'name'), createLink(0, 0, 0), pin(0, '/nowhere'), attachedPrograms(0, 0),
        createMap({ type: 1, keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0, name: '' }), nextProgramId(0)],
      probes: [probeMapType(1), probeProgramType(1), probeHelper(1, 1)],
    }));
    `,
    // Its own view of the file system, in which the library is an empty file.
    ['unshare', '--mount', 'sh', '-c', `mount --bind /dev/null '${libraryPath()}' && exec "$0" "$@"`],
  );
  const { problem, calls, probes } = JSON.parse(output);
  t.match(problem, /^libbpf\.so\.1 cannot be loaded \(.+\): install libbpf 1\.x/);
  t.same(calls, [-38, -38, -38, -38, -38, -38]);
  t.same(probes, [false, false, false]);
  t.end();
});

function importOf(file: string, ...names: readonly string[]): string {
  const { href } = pathToFileURL(join(import.meta.dirname, '../../native', file));
  return `import { ${names.join(', ')} } from ${JSON.stringify(href)};`;
}

function hiding(): string | undefined {
  return bpfSkipReason('libbpf', 'namespaces');
}

function libraryPath(): string {
  const maps = run(`${IMPORTS} probeMapType(1); console.log(readFileSync('/proc/self/maps', 'latin1'));`);
  return /\S*\/libbpf\.so\S*/.exec(maps)![0];
}

/** The standard output of a program in a Node of its own, started through `before`. */
function run(program: string, before: readonly string[] = []): string {
  const [command, ...args] = [...before, process.execPath, '--input-type=module', '--eval', program];
  return execFileSync(command!, args, { encoding: 'utf8' });
}
