import { request } from 'node:http';
import fc from 'fast-check';
import t from 'tap';
import { isForeignChange, isOwnHost } from '../../../proxy/admin/request-origin.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

t.test('addresses and localhost are names that nobody else can give', async (t) => {
  const own = [
    '127.0.0.1',
    '127.0.0.1:15000',
    '10.1.2.3:15000',
    '[::1]:15000',
    '[fd00::1]',
    'localhost',
    'LOCALHOST:80',
  ];
  for (const host of [...own, 'a.localhost:80', undefined]) t.ok(isOwnHost(host), String(host));
  const foreign = [
    'evil.example',
    'evil.example:15000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '1.2.3.4.5',
  ];
  for (const host of [...foreign, '', '[evil]', '[::1', '127.1', 'notlocalhost']) t.notOk(isOwnHost(host), host);
});

t.test('no host name is taken for an address, whatever it has in front', async () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.domain(),
      (front, domain) => domain.endsWith('localhost') || !isOwnHost(`${front}${domain}`),
    ),
  );
});

t.test(
  'programs name no origin; a browser may change something from our own page only, and not by a name',
  async (t) => {
    t.notOk(isForeignChange({ host: 'outrigger.shop.svc:15000' }));
    t.notOk(isForeignChange({ host: '127.0.0.1:15000', origin: 'http://127.0.0.1:15000' }));
    t.ok(isForeignChange({ host: '127.0.0.1:15000', origin: 'http://evil.example' }));
    t.ok(isForeignChange({ host: 'evil.example:15000', origin: 'http://evil.example:15000' }), 'rebound');
    t.ok(isForeignChange({ host: '127.0.0.1:15000', origin: 'null' }));
  },
);

t.test('a name that points here gets no page and changes nothing, and answers programs as before', async (t) => {
  const admin = await startAdmin();
  t.teardown(() => admin.stop());
  const ask = (
    path: string,
    { method = 'GET', ...headers }: { readonly [name: string]: string } = {},
  ): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = {
        port: admin.port,
        host: '127.0.0.1',
        path,
        method,
        headers: { host: 'evil.example:1', ...headers },
      };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });
  t.equal(await ask('/'), 403);
  t.equal(await ask('/', { host: `localhost:${admin.port}` }), 200);
  t.equal(await ask('/quitquitquit', { method: 'POST', origin: 'http://evil.example:1' }), 403);
  t.strictSame(admin.calls, []);
  for (const path of ['/stats/prometheus', '/overview', '/server_info', '/config_dump'])
    t.equal(await ask(path), 200, path);
  t.equal(await ask('/reset_counters', { method: 'POST' }), 200, 'curl by the name of a service');
});
