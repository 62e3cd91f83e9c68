// Runs Node with a C library that is newer than this machine's: uWebSockets.js needs glibc 2.38. On Debian the libraries of
// its later release come by apt, from the mirror that the machine uses already, into a folder that nothing else looks at,
// and Node is started through their loader.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NEEDED = '2.38';
const SUITE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const FOLDER = join(import.meta.dirname, '..', 'bench', '.cache', `libc-of-${SUITE}`);

/** Where Debian has the loader and the libraries, by processor as Node names it. */
const LAYOUTS: Readonly<Record<string, { readonly loader: string; readonly libraries: string }>> = {
  x64: { loader: 'usr/lib64/ld-linux-x86-64.so.2', libraries: 'usr/lib/x86_64-linux-gnu' },
  arm64: { loader: 'usr/lib/ld-linux-aarch64.so.1', libraries: 'usr/lib/aarch64-linux-gnu' },
};

/** The words before `node …`, none where the system's library will do. */
export type NewerLibc = { readonly before: readonly string[] } | { readonly missing: string };

/** Fetches what is not there yet. `missing` says why there is none. */
export function findNewerLibc(folder = FOLDER): NewerLibc {
  if (isNewEnough(ownVersion())) return { before: [] };
  const layout = process.platform === 'linux' ? LAYOUTS[process.arch] : undefined;
  if (layout === undefined) return { missing: `glibc ${NEEDED}, which ${process.platform}-${process.arch} has not` };
  const loader = join(folder, layout.loader);
  if (!existsSync(loader)) {
    const problem = fetchInto(folder);
    if (problem !== undefined) return { missing: `glibc ${NEEDED} (this system has ${ownVersion()}): ${problem}` };
  }
  return { before: [loader, '--library-path', join(folder, layout.libraries)] };
}

function ownVersion(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ?? '';
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NEEDED.split('.').map(Number);
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}

/** Returns why it failed. */
function fetchInto(folder: string): string | undefined {
  const mirror = debianMirror();
  if (mirror === undefined) return 'this is not a Debian whose apt has a mirror';
  const work = `${folder}.part-${process.pid}`;
  for (const name of ['parts', 'lists/partial', 'archives/partial']) mkdirSync(join(work, name), { recursive: true });
  writeFileSync(
    join(work, 'parts', `${SUITE}.sources`),
    `Types: deb\nURIs: ${mirror}\nSuites: ${SUITE}\nComponents: main\nSigned-By: ${KEYRING}\n`,
  );
  const problem = download(work) ?? unpack(work);
  // Whole or not at all: others may be fetching at the same time.
  if (problem === undefined && !existsSync(folder)) renameSync(join(work, 'root'), folder);
  rmSync(work, { recursive: true, force: true });
  return problem;
}

function debianMirror(): string | undefined {
  const listed = run('apt-get', ['indextargets', '--format', '$(LABEL) $(SITE)']).stdout ?? '';
  return /^Debian (\S+)$/m.exec(listed)?.[1];
}

function download(work: string): string | undefined {
  const settings = {
    'Dir::Etc::SourceList': '/dev/null',
    'Dir::Etc::SourceParts': join(work, 'parts'),
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::Cache::Archives': join(work, 'archives'),
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  for (const words of [['update'], ['download', 'libc6', 'libstdc++6', 'libgcc-s1']]) {
    const { status, stderr } = run('apt-get', [...options, ...words], work);
    if (status !== 0) return `apt-get ${words[0]} failed: ${lastLine(stderr)}`;
  }
  return undefined;
}

function unpack(work: string): string | undefined {
  for (const name of readdirSync(work).filter((each) => each.endsWith('.deb'))) {
    const { status, stderr } = run('dpkg-deb', ['-x', join(work, name), join(work, 'root')]);
    if (status !== 0) return `dpkg-deb failed: ${lastLine(stderr)}`;
  }
  return undefined;
}

function run(command: string, args: readonly string[], cwd?: string) {
  return spawnSync(command, args, { encoding: 'utf8', ...(cwd !== undefined && { cwd }) });
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}
