import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createProcessLog, logComponents } from '../../../proxy/telemetry/process-log.ts';
import { onlyItems } from '../../support/only-items.ts';

function linesOf(path: string) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

t.test('lines of enabled levels carry level, time, component, fields and sentence', async (t) => {
  const path = join(t.testdir(), 'log');
  const descriptor = openSync(path, 'a');
  const log = createProcessLog({ level: 'warning', componentLevels: 'dns:trace', descriptor });
  log.component('main').info('not this');
  log.component('main').warn({ path: 'x' }, 'this');
  log.component('dns').trace('and this');
  await log.flush();
  log.component('main').critical('through pino at once');
  t.match(
    linesOf(path),
    onlyItems(
      { level: 'warning', time: /^\d{4}-\d\d-\d\dT/, component: 'main', path: 'x', msg: 'this' },
      { level: 'trace', component: 'dns', msg: 'and this' },
      { level: 'critical', component: 'main', msg: 'through pino at once' },
    ),
  );
  closeSync(descriptor);
});

t.test('levels change at run time, of all components and of one', async (t) => {
  const path = join(t.testdir(), 'log');
  const descriptor = openSync(path, 'a');
  const log = createProcessLog({ level: 'info', componentLevels: '', descriptor });
  t.equal(log.setLevel('off'), null);
  log.component('main').critical('not this');
  t.equal(log.setComponentLevel('main', 'debug'), null);
  t.ok(log.component('main').isEnabled('debug'));
  t.notOk(log.component('main').isEnabled('trace'));
  t.notOk(log.component('http').isEnabled('critical'));
  log.component('main').debug('this');
  await log.flush();
  t.match(linesOf(path), onlyItems({ level: 'debug', msg: 'this' }));
  t.equal(log.levels().get('main'), 'debug');
  t.equal(log.levels().get('http'), 'off');
  t.equal(log.levels().size, logComponents.length);
  closeSync(descriptor);
});

t.test('an unknown level or component is refused with what there is', (t) => {
  t.throws(() => createProcessLog({ level: 'loud', componentLevels: '' }), /unknown log level "loud".*warning/);
  t.throws(
    () => createProcessLog({ level: 'info', componentLevels: 'nothing:info' }),
    /unknown logger nothing.*upstream/,
  );
  t.throws(() => createProcessLog({ level: 'info', componentLevels: 'dns' }), /unknown log level ""/);
  t.end();
});

t.test('a line right before the end of the process is not lost', (t) => {
  const module = new URL('../../../proxy/telemetry/process-log.ts', import.meta.url);
  const script = `
    const { createProcessLog } = await import('${module}');
    createProcessLog({ level: 'info', componentLevels: '' }).component('main').critical({ code: 7 }, 'the end');
    process.exit(7);
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  t.equal(status, 7);
  t.match(JSON.parse(stderr), { level: 'critical', component: 'main', code: 7, msg: 'the end' });
  t.end();
});
