// The bench command line.
import { parseArgs } from 'node:util';
import type { PeerName } from './peers/peer.ts';
import { PEER_NAMES } from './peers/roster.ts';
import { BPF_PARTS, type BpfOptions, type BpfPart } from './suite/bpf.ts';
import { AXIS_NAMES, type EngineOptions } from './suite/engine.ts';
import type { TelemetryOptions } from './suite/telemetry.ts';
import type { TlsOptions } from './suite/tls.ts';
import { XDS_PEER_NAMES, type XdsOptions } from './suite/xds.ts';
import type { XdsMinuteOptions } from './suite/xds-minute.ts';

export const USAGE = `usage:
  npm run bench -- engine [--quick] [--only AXIS,...] [--rounds N] [--seconds N] [--peers NAME,...] [--write]
  npm run bench -- xds [--rounds N] [--peers NAME,...] [--write]
  npm run bench -- xds --only minute [--rounds N] [--peers NAME,...] [--write]
  npm run bench -- telemetry [--rounds N] [--seconds N] [--write]
  npm run bench -- tls [--rounds N] [--seconds N] [--write]
  npm run bench -- bpf [--only PART,...] [--rounds N] [--seconds N] [--write]
  npm run bench -- smoke
  npm run bench -- soak [--minutes N] [--peers NAME]
  npm run bench -- profile
axes: ${AXIS_NAMES.join(' ')}
parts of bpf: ${BPF_PARTS.join(' ')}
peers: ${PEER_NAMES.join(' ')}`;

const FULL_ROUNDS = 5;
const FULL_SLOT_SECONDS = 2;
const XDS_ROUNDS = 3;
const MINUTE_TURNS = 6;
// Fewer samples give no verdict.
const LEAST_SOAK_MINUTES = 2;

export type Command =
  | { readonly kind: 'engine'; readonly options: EngineOptions }
  | { readonly kind: 'xds'; readonly options: XdsOptions }
  | { readonly kind: 'xds-minute'; readonly options: XdsMinuteOptions }
  | { readonly kind: 'telemetry'; readonly options: TelemetryOptions }
  | { readonly kind: 'tls'; readonly options: TlsOptions }
  | { readonly kind: 'bpf'; readonly options: BpfOptions }
  | { readonly kind: 'smoke' }
  | { readonly kind: 'soak'; readonly minutes: number; readonly peer: PeerName }
  | { readonly kind: 'profile' };

// Throws an Error that names the argument it cannot take.
export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      peers: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      write: { type: 'boolean', default: false },
    },
  });
  const [kind] = positionals;
  if (kind === 'smoke' || kind === 'profile') return { kind };
  if (kind === 'soak') {
    const [peer] = namesOf(values.peers ?? 'outrigger', PEER_NAMES) as [PeerName];
    return { kind, minutes: soakMinutes(values.minutes), peer };
  }
  if (kind === 'xds') {
    const peers = namesOf(values.peers ?? XDS_PEER_NAMES.join(','), XDS_PEER_NAMES) as PeerName[];
    if (values.only !== '') {
      namesOf(values.only, ['minute']);
      return {
        kind: 'xds-minute',
        options: { turns: positive('rounds', values.rounds ?? String(MINUTE_TURNS)), peers, write: values.write },
      };
    }
    const rounds = positive('rounds', values.rounds ?? String(XDS_ROUNDS));
    return { kind, options: { rounds, peers, write: values.write } };
  }
  if (kind === 'telemetry' || kind === 'tls' || kind === 'bpf') {
    const rounds = positive('rounds', values.rounds ?? String(FULL_ROUNDS));
    const slotSeconds = positive('seconds', values.seconds ?? String(FULL_SLOT_SECONDS));
    const options = { rounds, slotSeconds, write: values.write };
    if (kind !== 'bpf') return { kind, options };
    const parts = values.only === '' ? BPF_PARTS : (namesOf(values.only, BPF_PARTS) as BpfPart[]);
    return { kind, options: { ...options, parts } };
  }
  if (kind !== 'engine') throw new Error(`unknown command: ${kind ?? 'none'}`);
  const options: EngineOptions = {
    quick: values.quick,
    only: values.only === '' ? [] : namesOf(values.only, AXIS_NAMES),
    rounds: positive('rounds', values.rounds ?? String(values.quick ? 1 : FULL_ROUNDS)),
    slotSeconds: positive('seconds', values.seconds ?? String(values.quick ? 1 : FULL_SLOT_SECONDS)),
    peers: values.peers === undefined ? PEER_NAMES : (namesOf(values.peers, PEER_NAMES) as PeerName[]),
    write: values.write,
  };
  return { kind, options };
}

function namesOf(list: string, known: readonly string[]): string[] {
  const names = list.split(',');
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`unknown name: ${stranger}; known are ${known.join(', ')}`);
  return names;
}

function soakMinutes(text: string): number {
  const minutes = positive('minutes', text);
  if (minutes < LEAST_SOAK_MINUTES) throw new Error(`--minutes takes at least ${LEAST_SOAK_MINUTES}`);
  return minutes;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${option} takes a whole number above 0, not ${text}`);
  return value;
}
