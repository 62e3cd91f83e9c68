import t from 'tap';
import { RuntimeOverrides } from '../../../proxy/admin/runtime-overrides.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const layers = [
  {
    name: 'static',
    kind: 'static',
    values: new Map<string, string | number | boolean>([
      ['a.b', 5],
      ['c', 'x'],
    ]),
  },
  { name: 'admin', kind: 'admin', values: new Map() },
] as const;

t.test('an override goes over the layers below, reaches the workers, and can be taken back', async (t) => {
  const admin = await startAdmin({ bootstrap: { runtimeLayers: layers } });
  t.teardown(admin.stop);
  admin.state.onApplied(1, []);
  t.equal((await admin.post('/runtime_modify?a.b=7&d=true&e=text')).text, 'OK\n');
  t.match(JSON.parse((await admin.get('/runtime')).text), {
    layers: onlyItems('static', 'admin'),
    entries: {
      'a.b': { final_value: '7', layer_values: onlyItems('5', '7') },
      c: { final_value: 'x', layer_values: onlyItems('x', '') },
      d: { final_value: 'true', layer_values: onlyItems('', 'true') },
    },
  });
  t.strictSame(
    [...admin.runtimes[0]!],
    [
      ['a.b', 7],
      ['c', 'x'],
      ['d', true],
      ['e', 'text'],
    ],
  );
  await admin.post('/runtime_modify?a.b=');
  t.equal(admin.runtimes[1]?.get('a.b'), 5);
});

t.test('values come as form fields too', async (t) => {
  const admin = await startAdmin({ bootstrap: { runtimeLayers: layers } });
  t.teardown(admin.stop);
  admin.state.onApplied(1, []);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  t.equal((await admin.post('/runtime_modify', { headers, body: 'a.b=9' })).status, 200);
  t.equal(admin.runtimes[0]?.get('a.b'), 9);
});

t.test('a key that objects are born with is a key like another', async (t) => {
  const admin = await startAdmin({ bootstrap: { runtimeLayers: layers } });
  t.teardown(admin.stop);
  admin.state.onApplied(1, []);
  await admin.post('/runtime_modify?__proto__=1&constructor=2');
  const { text } = await admin.get('/runtime');
  t.match(text, /"__proto__": \{/);
  t.match(text, /"constructor": \{/);
});

t.test('what a control plane sends stands in the place of its layer', (t) => {
  const overrides = new RuntimeOverrides();
  const sent = { name: 'sent', kind: 'rtds', values: new Map() } as const;
  overrides.modify([['c', 'mine']]);
  overrides.setLayer(
    'sent',
    new Map([
      ['a.b', 6],
      ['c', 7],
    ]),
  );
  t.strictSame(
    [...overrides.flatten([...layers, sent])],
    [
      ['a.b', 6],
      ['c', 7],
    ],
  );
  t.strictSame(
    [...overrides.flatten([layers[0], sent, layers[1]])],
    [
      ['a.b', 6],
      ['c', 'mine'],
    ],
  );
  t.end();
});

t.test('without values it says how, without an admin layer that there is none', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.match(await admin.post('/runtime_modify'), { status: 400, text: /^usage: / });
  t.match(await admin.post('/runtime_modify?a=1'), { status: 503, text: 'No admin layer specified\n' });
  t.strictSame(admin.runtimes, []);
});
