// What a control plane does to both proxies, step by step, and what they say to it.

import type { SentResponse } from '../support/discovery-messages.ts';
import { certificateYaml, type SecretFiles } from '../support/secret-fixtures.ts';
import type { RecordingControlPlane } from './recording-control-plane.ts';
import {
  assignment,
  chain,
  discovered,
  edsCluster,
  filter,
  listener,
  routes,
  Scene,
  secured,
  staticCluster,
  types,
  unknownFilter,
  unusable,
} from './spoken-scene.ts';

export interface SpokenStep {
  readonly name: string;
  readonly act: (controlPlane: RecordingControlPlane) => void;
  /** In the state of the world it is left out: what is said depends on how fast it is. */
  readonly isDelta?: true;
}

export function spokenSteps(files: SecretFiles): readonly SpokenStep[] {
  const play = new Play();
  return [
    ...changes(play),
    ...refusedClusters(play),
    ...refusedOthers(play),
    ...listeners(play),
    ...oddResponses(play),
    ...secrets(play, files),
    ...discoveredFilters(play),
    ...waiting(play),
    ...timesToLive(play),
    ...theEnd(play),
  ];
}

class Play {
  readonly scene = new Scene();

  change(name: string, how: (scene: Scene) => void): SpokenStep {
    return {
      name,
      act: (controlPlane) => {
        how(this.scene);
        controlPlane.offer(this.scene.world);
      },
    };
  }

  /** In EDS. */
  sent(name: string, how: (scene: Scene) => Omit<SentResponse, 'type'>): SpokenStep {
    return { name, act: (controlPlane) => controlPlane.send({ type: types.EDS, ...how(this.scene) }) };
  }
}

function broken(how: 'is cut' | 'ends in order' | 'ends by status', when = ''): SpokenStep {
  return {
    name: `the stream ${how}${when}`,
    act: (controlPlane) => {
      if (how === 'is cut') controlPlane.cut();
      else controlPlane.end(how === 'ends in order' ? 'in order' : 'by status');
    },
  };
}

function changes(play: Play): readonly SpokenStep[] {
  return [
    play.change('the first push', (scene) => {
      scene.set('RTDS', 'layer', '{name: layer, layer: {a: 1}}');
      scene.set('CDS', 'app', edsCluster('app'));
      scene.set('CDS', 'static', staticCluster('static', 1));
      scene.set('EDS', 'app', assignment('app', 1));
      scene.set('LDS', 'web', listener('web', chain('all')));
      scene.set('RDS', 'all', routes('all', 'app'));
    }),
    play.change('one endpoint', (scene) => scene.set('EDS', 'app', assignment('app', 2))),
    play.change('one route', (scene) => scene.set('RDS', 'all', routes('all', 'static'))),
    play.change('a runtime value', (scene) => scene.set('RTDS', 'layer', '{name: layer, layer: {a: 2}}')),
    play.change('two clusters more', (scene) => {
      scene.set('EDS', 'more', assignment('more', 3));
      scene.set('EDS', 'service', assignment('service', 4));
      scene.set('CDS', 'more', edsCluster('more'));
      scene.set('CDS', 'other', edsCluster('other', { service: 'service' }));
    }),
    play.change('a cluster with other fields', (scene) =>
      scene.set('CDS', 'more', edsCluster('more', { timeout: '2s' })),
    ),
    play.change('its members', (scene) => scene.set('EDS', 'more', assignment('more', 5))),
    play.change('a cluster with members of another name', (scene) => {
      scene.set('EDS', 'renamed', assignment('renamed', 4));
      scene.set('CDS', 'other', edsCluster('other', { service: 'renamed' }));
    }),
    play.change('members that are removed', (scene) => scene.remove('EDS', 'renamed')),
    play.change('members that are there again', (scene) => scene.set('EDS', 'renamed', assignment('renamed', 5))),
    play.change('a cluster that is removed', (scene) => scene.remove('CDS', 'other')),
  ];
}

function refusedClusters(play: Play): readonly SpokenStep[] {
  return [
    play.change('a cluster that cannot be, beside a good one', (scene) => {
      scene.set('CDS', 'good', staticCluster('good', 1));
      scene.set('CDS', 'bad', unusable('bad'));
    }),
    play.change('it is mended', (scene) => scene.set('CDS', 'bad', staticCluster('bad', 1))),
    play.change('it becomes one that cannot be', (scene) => scene.set('CDS', 'bad', unusable('bad'))),
    broken('is cut', ' after a refusal'),
    play.change('the bad one is removed', (scene) => scene.remove('CDS', 'bad')),
  ];
}

function refusedOthers(play: Play): readonly SpokenStep[] {
  return [
    play.change('routes with a domain twice', (scene) => scene.set('RDS', 'all', routes('all', 'app', 2))),
    broken('ends by status', ''),
    play.change('routes mended', (scene) => scene.set('RDS', 'all', routes('all', 'app'))),
    play.change('members that cannot be, beside good ones', (scene) => {
      scene.set('EDS', 'app', assignment('app', 6).replace('127.0.0.1', 'no.address'));
      scene.set('EDS', 'more', assignment('more', 6));
    }),
    play.change('members mended', (scene) => scene.set('EDS', 'app', assignment('app', 6))),
    play.change('a listener that cannot be, beside a good one', (scene) => {
      scene.set('LDS', 'bad', listener('bad', unknownFilter));
      scene.set('LDS', 'second', listener('second', chain('second')));
      scene.set('RDS', 'second', routes('second', 'app'));
    }),
    play.change('it goes', (scene) => scene.remove('LDS', 'bad')),
  ];
}

function listeners(play: Play): readonly SpokenStep[] {
  return [
    play.change('a listener of other routes', (scene) => {
      scene.set('RDS', 'third', routes('third', 'app'));
      scene.set('LDS', 'second', listener('second', chain('third')));
    }),
    play.change('routes that are removed', (scene) => scene.remove('RDS', 'third')),
    play.change('a listener that is removed', (scene) => scene.remove('LDS', 'second')),
  ];
}

function oddResponses(play: Play): readonly SpokenStep[] {
  return [
    {
      name: 'a cluster twice in a response',
      act: (controlPlane) => {
        const names = ['app', 'static', 'more', 'good', 'good'];
        const resources = names.map((name) => play.scene.get('CDS', name));
        controlPlane.send({ type: types.CDS, version: 'twice', resources });
      },
    },
    play.change('once again', (scene) => scene.set('CDS', 'good', staticCluster('good', 2))),
    {
      name: 'types that nobody asked for',
      act: (controlPlane) => {
        controlPlane.send({ type: 'type.googleapis.com/nobody.Knows', version: '1', nonce: 'x', resources: [] });
        controlPlane.send({ type: types.SDS, version: '1', nonce: 'y', resources: [] });
      },
    },
    play.sent('a response with nothing in it', () => ({ version: 'empty' })),
    play.sent('a response without a nonce', (scene) => ({
      version: 'x',
      nonce: '',
      resources: [scene.get('EDS', 'app')],
    })),
    play.sent('a response with another type in it', (scene) => {
      const stranger = { ...scene.get('CDS', 'static'), type: types.CDS, name: 'app' };
      return { version: 'z', resources: [scene.get('EDS', 'more'), stranger] };
    }),
    play.sent('members that nobody subscribed to', (scene) => {
      const resources = [scene.get('EDS', 'more'), scene.made('EDS', 'stranger', assignment('stranger', 1))];
      return { version: 'stranger', resources };
    }),
    play.change('good ones', (scene) => scene.set('EDS', 'app', assignment('app', 7))),
  ];
}

function secrets(play: Play, files: SecretFiles): readonly SpokenStep[] {
  const own = (certificate: string): string => `{name: own, tls_certificate: ${certificate}}`;
  return [
    play.change('a secret', (scene) => {
      scene.set('SDS', 'own', own(certificateYaml(files.leaf, 'inline')));
      scene.set('LDS', 'secured', secured('secured', 'own'));
    }),
    play.change('another certificate', (scene) => scene.set('SDS', 'own', own(certificateYaml(files.other, 'inline')))),
    play.change('a certificate that is none', (scene) =>
      scene.set('SDS', 'own', own('{certificate_chain: {inline_string: x}, private_key: {inline_string: y}}')),
    ),
    play.change('the secret is removed', (scene) => scene.remove('SDS', 'own')),
  ];
}

function discoveredFilters(play: Play): readonly SpokenStep[] {
  return [
    play.change('a filter that is discovered', (scene) => {
      scene.set('ECDS', 'cors', filter('cors', 'http.cors.v3.Cors'));
      scene.set('LDS', 'web', listener('web', chain('all', discovered('cors', 'http.cors.v3.Cors'))));
    }),
    play.change('a filter of another type', (scene) =>
      scene.set('ECDS', 'cors', filter('cors', 'http.fault.v3.HTTPFault')),
    ),
    play.change('the right one', (scene) => scene.set('ECDS', 'cors', filter('cors', 'http.cors.v3.Cors'))),
    broken('ends in order'),
    play.change('neither the secret nor the filter is needed', (scene) => {
      scene.remove('LDS', 'secured');
      scene.set('LDS', 'web', listener('web', chain('all')));
    }),
  ];
}

function waiting(play: Play): readonly SpokenStep[] {
  return [
    play.change('a cluster of which members do not come', (scene) =>
      scene.set('CDS', 'waiting', edsCluster('waiting')),
    ),
    broken('is cut', ' while it waits'),
    play.change('they come', (scene) => scene.set('EDS', 'waiting', assignment('waiting', 1))),
    {
      ...play.change('subscriptions change while members change', (scene) => {
        scene.set('CDS', 'late', edsCluster('late'));
        scene.remove('CDS', 'waiting');
        scene.set('EDS', 'app', assignment('app', 9));
        scene.set('EDS', 'late', assignment('late', 9));
      }),
      isDelta: true,
    },
  ];
}

function timesToLive(play: Play): readonly SpokenStep[] {
  // In the state of the world Envoy has the version of the response for that of its resources, outrigger that of the resource.
  const heartbeat = (name: string, isRight: boolean): SpokenStep => ({
    name,
    act: (controlPlane) => {
      const own = isRight ? play.scene.get('EDS', 'app').version! : 'other';
      const resource = { name: 'app', version: own, ttlMs: longMs, isHeartbeat: true, isWrapped: true };
      const version = isRight ? controlPlane.versionOf(types.EDS) : 'other';
      controlPlane.send({ type: types.EDS, version, resources: [resource] });
    },
  });
  return [
    play.change('members with a time to live', (scene) =>
      scene.set('EDS', 'app', assignment('app', 8), { ttlMs: longMs, isWrapped: true }),
    ),
    heartbeat('a heartbeat', true),
    heartbeat('a heartbeat of another version', false),
    {
      ...play.change('a cluster whose time is short', (scene) => {
        scene.set('EDS', 'short', assignment('short', 8));
        scene.set('CDS', 'short', edsCluster('short'), { ttlMs: 100, isWrapped: true });
      }),
      isDelta: true,
    },
    { ...play.change('it is removed', (scene) => scene.remove('CDS', 'short')), isDelta: true },
  ];
}

const longMs = 600_000;

function theEnd(play: Play): readonly SpokenStep[] {
  return [
    play.change('all listeners go', (scene) => scene.remove('LDS', 'web')),
    play.change('all clusters go', (scene) => {
      for (const name of ['app', 'static', 'more', 'good', 'late']) scene.remove('CDS', name);
    }),
    broken('is cut', ' with nothing held'),
    play.change('all come again', (scene) => {
      scene.set('CDS', 'app', edsCluster('app'));
      scene.set('LDS', 'web', listener('web', chain('all')));
    }),
  ];
}
