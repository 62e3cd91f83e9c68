// Which engine a listener asks for, and whether this process can serve it so.

import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { checkEngine, decodeEngine } from '../../../xds/decode/listener-engine.ts';
import type { CoreMetadata as Metadata } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decoded = (fields: string) =>
  decodedAs('envoy.config.core.v3.Metadata', `{${fields}}`, (message: Metadata, problems) =>
    decodeEngine(message, problems),
  );
const checked = (engine: Listener['engine'], offersUws: boolean) =>
  decodedAs('envoy.config.core.v3.Metadata', '{}', (_: Metadata, problems) =>
    checkEngine({ engine } as Listener, offersUws, problems),
  ).problems;

t.test('a listener names its engine, or leaves it to the process', async (t) => {
  t.same(decoded('filter_metadata: {outrigger: {engine: uws}}'), { value: 'uws', problems: [] });
  t.same(decoded('filter_metadata: {outrigger: {engine: reactor}}'), { value: 'reactor', problems: [] });
  t.same(decoded('filter_metadata: {outrigger: {}}'), { value: undefined, problems: [] });
  t.same(decoded('filter_metadata: {istio: {engine: x}}'), { value: undefined, problems: [] });
});

t.test('what is no engine, and no setting, is refused', async (t) => {
  const problemsOf = (settings: string) => decoded(`filter_metadata: {outrigger: {${settings}}}`).problems;
  t.same(problemsOf('engine: nginx'), ['filter_metadata.outrigger.engine: engine is reactor or uws']);
  t.same(problemsOf('engine: 1'), ['filter_metadata.outrigger.engine: engine is reactor or uws']);
  t.matchOnly(problemsOf('motor: uws'), [/^filter_metadata\.outrigger\.motor: motor is no setting/]);
});

t.test('an engine that is not loaded is refused, with what loads it', async (t) => {
  t.matchOnly(checked('uws', false), [/^metadata: .*--engine listener/]);
  t.same(checked('uws', true), []);
  t.same(checked('reactor', false), []);
  t.same(checked(undefined, false), []);
});
