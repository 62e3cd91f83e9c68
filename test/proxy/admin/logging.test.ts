import t from 'tap';
import { createProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

t.test('levels are listed and changed: one, several, all', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.match((await admin.post('/logging')).text, /^active loggers:\n {2}a2a: off\n {2}admin: off\n/);
  t.match((await admin.post('/logging?upstream=debug')).text, /\n {2}udp: off\n {2}upstream: debug\n/);
  t.match((await admin.post('/logging?paths=http:info,dns:trace')).text, /\n {2}dns: trace\n.*\n {2}http: info\n/s);
  t.match((await admin.post('/logging?level=error')).text, /\n {2}dns: error\n.*\n {2}upstream: error\n/s);
});

t.test('what is asked for is written from then on', async (t) => {
  const log = createProcessLog({ level: 'off', componentLevels: '' });
  const admin = await startAdmin({ options: { log } });
  t.teardown(admin.stop);
  const enabled = () => ['upstream', 'dns'].filter((name) => log.component(name as 'dns').isEnabled('debug'));
  t.strictSame(enabled(), []);
  await admin.post('/logging?upstream=debug');
  t.strictSame(enabled(), ['upstream']);
  await admin.post('/logging?level=trace');
  t.strictSame(enabled(), ['upstream', 'dns']);
});

t.test('a wrong name or level is 400, says how it is done, and changes nothing', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  for (const query of [
    'level=loud',
    'nothing=info',
    'upstream=',
    'paths=http',
    'group=http:debug',
    'paths=http:info,nothing:info',
    'level=info&http=info',
  ]) {
    const { status, text } = await admin.post(`/logging?${query}`);
    t.equal(status, 400, query);
    t.match(text, /^error: .*\n\nusage: \/logging/, query);
    t.notMatch(text, /: (info|loud)\n/, query);
  }
});

t.test("names that Istio's agent passes on the command line are known", async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.equal((await admin.post('/logging?misc=error')).status, 200);
  t.equal((await admin.post('/logging?paths=rbac:debug,jwt:debug,wasm:info,')).status, 200);
});
