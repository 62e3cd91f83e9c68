// The engine that a listener asks for, a setting of ours. Envoy leaves namespaces of metadata alone that it does not know,
// so that the same configuration runs there.

import type { EngineName, Listener } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type { CoreMetadata as Metadata } from '../generated/messages.ts';

const namespace = 'outrigger';

/** Undefined where the listener says nothing. */
export function decodeEngine(metadata: Metadata | undefined, problems: Problems): EngineName | undefined {
  const settings = metadata?.filterMetadata?.[namespace];
  if (settings === undefined) return undefined;
  const place = problems.at('filter_metadata').at(namespace);
  const unknown = Object.keys(settings).find((key) => key !== 'engine');
  if (unknown !== undefined) place.at(unknown).add(`${unknown} is no setting of a listener: there is engine`);
  const { engine } = settings;
  if (engine === undefined || engine === 'reactor' || engine === 'uws') return engine;
  place.at('engine').add('engine is reactor or uws');
  return undefined;
}

/** The loop of a worker is chosen when the process starts: it cannot be changed for a listener that comes later. */
export function checkEngine(listener: Listener | undefined, offersUws: boolean, problems: Problems): void {
  if (listener?.engine !== 'uws' || offersUws) return;
  problems
    .at('metadata')
    .add('engine: uws is not loaded in this process: start it with --engine listener, or with --engine uws for all');
}
