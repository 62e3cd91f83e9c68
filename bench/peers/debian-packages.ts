// Installs what Debian packages and this machine lacks: the comparison must run for a stranger on a fresh Debian.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export type DebianPackage = { readonly name: string; readonly provides: string };

// Throws an Error naming the packages when apt is refused or fails.
export function ensureDebianPackages(packages: readonly DebianPackage[]): void {
  const missing = packages.filter((one) => !existsSync(one.provides)).map((one) => one.name);
  if (missing.length === 0) return;
  const elevate = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const install = [...elevate, 'apt-get', 'install', '-y', '--no-install-recommends', ...missing];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const first = spawnSync(install[0]!, install.slice(1), { env, stdio: 'ignore' });
  if (first.status === 0) return;
  // A fresh machine has no package lists yet.
  const update = [...elevate, 'apt-get', 'update'];
  spawnSync(update[0]!, update.slice(1), { env, stdio: 'ignore' });
  const second = spawnSync(install[0]!, install.slice(1), { env, encoding: 'utf8' });
  if (second.status !== 0)
    throw new Error(`apt-get could not install ${missing.join(', ')}: ${lastLine(second.stderr)}`);
}

function lastLine(text: string | null): string {
  return (text ?? '').trim().split('\n').at(-1) ?? '';
}
