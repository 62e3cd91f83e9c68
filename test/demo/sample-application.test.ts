import t from 'tap';
import { startSampleApplication } from '../../demo/sample-application.ts';

t.test('each endpoint of the sample application does what its name says', async (t) => {
  const application = await startSampleApplication('replica 1');
  t.teardown(() => application.close());
  const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${application.port}${path}`, init);
  t.equal(await (await ask('/hello?again')).text(), 'hello from replica 1\n');
  t.equal(await (await ask('/echo', { method: 'POST', body: 'to and fro' })).text(), 'to and fro');
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) statuses.push((await ask('/flaky')).status);
  t.same(statuses, [503, 503, 200, 503, 503, 200]);
  t.equal((await (await ask('/download')).arrayBuffer()).byteLength, 64 * 1024 * 1024);
  t.equal((await ask('/elsewhere')).status, 404);
});
