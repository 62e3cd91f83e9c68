// `POST /logging`: the levels of the process log. https://www.envoyproxy.io/docs/envoy/latest/operations/admin#post--logging

import type { ProcessLog } from '../telemetry/process-log.ts';
import { logLevels } from '../telemetry/process-log.ts';
import { type AdminAnswer, type AdminRequest, failure, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

export function logging({ log }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const problem = change(log, [...query]);
  const loggers = `active loggers:\n${[...log.levels()].map(([name, level]) => `  ${name}: ${level}\n`).join('')}\n`;
  return problem === null ? text(loggers) : failure(400, `error: ${problem}\n\n${usage}${loggers}`);
}

// All or nothing: a list with one wrong name changes no level.
function change(log: ProcessLog, parameters: readonly (readonly [string, string])[]): string | null {
  if (parameters.length > 1) return 'invalid number of parameters';
  const [parameter] = parameters;
  if (parameter === undefined) return null;
  const [name, value] = parameter;
  if (value === '') return name === 'level' || name === 'paths' ? null : 'empty logger level';
  if (name === 'level') return log.setLevel(value);
  if (name === 'group') return 'group parameter requires fine-grain logging, which is not here: write paths';
  if (name !== 'paths') return log.setComponentLevel(name, value);
  const items = value.split(',').filter((item) => item !== '');
  const pairs = items.map((item) => item.split(':'));
  const before = log.levels();
  for (const [component = '', level = ''] of pairs) {
    const problem = log.setComponentLevel(component, level);
    if (problem === null) continue;
    for (const [known, earlier] of before) log.setComponentLevel(known, earlier);
    return problem;
  }
  return null;
}

const usage = `usage: /logging?<name>=<level> (change single level)
usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)
usage: /logging?level=<level> (change all levels)
levels: ${logLevels.join(' ')}
`;
