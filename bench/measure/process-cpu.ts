// CPU time of a proxy: itself and its children (nginx has a master and a worker).
// /proc/PID/stat rather than the files of its tasks: the process's figure also holds threads that have ended.
// Fields: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
import { readdirSync, readFileSync } from 'node:fs';

// Linux shows times to user space in 1/100 s whatever the kernel's own tick is (USER_HZ).
export const TICK_MS = 10;

export type CpuTime = { readonly userMs: number; readonly systemMs: number };

export function readCpuTime(pid: number): CpuTime {
  let userMs = 0;
  let systemMs = 0;
  for (const member of processTree(pid)) {
    const time = parseProcessStat(readFileSync(`/proc/${member}/stat`, 'utf8'));
    userMs += time.userMs;
    systemMs += time.systemMs;
  }
  return { userMs, systemMs };
}

// The text of /proc/PID/stat. Counted from the last ')': the name in parentheses may hold blanks and parentheses.
export function parseProcessStat(text: string): CpuTime {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const userTicks = Number(fields[11]);
  const systemTicks = Number(fields[12]);
  if (!Number.isInteger(userTicks) || !Number.isInteger(systemTicks))
    throw new Error(`not a process stat line: ${text}`);
  return { userMs: userTicks * TICK_MS, systemMs: systemTicks * TICK_MS };
}

// The process and all its descendants.
export function processTree(pid: number): readonly number[] {
  const members = [pid];
  for (const member of members) {
    for (const task of readdirSync(`/proc/${member}/task`)) {
      const children = readFileSync(`/proc/${member}/task/${task}/children`, 'utf8').trim();
      if (children !== '') members.push(...children.split(' ').map(Number));
    }
  }
  return members;
}
