// Commands that measure between two moments.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/advanced/substitution_formatter

import type { DurationPoint, FormatCommand } from '../../config/format-commands.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { FormatContext, Operator } from './format-context.ts';

type Moment = (context: FormatContext) => number;
type MomentField = {
  [Key in keyof StreamInfo]: Key extends `${string}AtMs` ? Key : never;
}[keyof StreamInfo];

const at =
  (field: MomentField): Moment =>
  ({ info }) =>
    info[field];
/** Only of a connection that is no request's. */
const ofConnection =
  (moment: Moment): Moment =>
  (context) =>
    context.request === null ? moment(context) : -1;

const moments: Readonly<Record<DurationPoint, Moment>> = {
  DS_RX_BEG: at('startedAtMs'),
  DS_RX_END: at('requestEndAtMs'),
  US_TX_BEG: at('upstreamRequestStartAtMs'),
  US_TX_END: at('upstreamRequestEndAtMs'),
  US_RX_BEG: at('responseHeadAtMs'),
  // An answer of ours ends, too.
  US_RX_END: ({ info }) => (info.responseHeadAtMs < 0 ? -1 : info.responseEndAtMs),
  DS_TX_BEG: at('downstreamResponseStartAtMs'),
  DS_TX_END: ({ info }) => (info.downstreamResponseStartAtMs < 0 ? -1 : info.endedAtMs),
  DS_CX_BEG: ofConnection(at('startedAtMs')),
  DS_CX_END: ofConnection(at('endedAtMs')),
};

const perMs: Readonly<Record<string, number>> = { ms: 1, us: 1e3, ns: 1e6 };

/** By command name: makes the operator for one use of the command. */
export const durationOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  DURATION: between(moments.DS_RX_BEG, at('endedAtMs'), 1),
  REQUEST_DURATION: between(moments.DS_RX_BEG, moments.DS_RX_END, 1),
  REQUEST_TX_DURATION: between(moments.DS_RX_BEG, moments.US_TX_END, 1),
  RESPONSE_DURATION: between(moments.DS_RX_BEG, moments.US_RX_BEG, 1),
  RESPONSE_TX_DURATION: between(moments.US_RX_BEG, at('endedAtMs'), 1),
  // Envoy measures it on QUIC alone.
  ROUNDTRIP_DURATION: () => () => null,
  UPSTREAM_CONNECTION_POOL_READY_DURATION:
    () =>
    ({ info }) =>
      info.upstreamWaitMs < 0 ? null : Math.trunc(info.upstreamWaitMs),
  COMMON_DURATION: (command) => {
    const [from, to, unit] = command.argument!.split(':');
    const [start, end] = [moments[from as DurationPoint], moments[to as DurationPoint]];
    const measure = between(start, end, perMs[unit!]!)(command);
    return (context) => (end(context) < start(context) ? null : measure(context));
  },
};

/** Whole units from one moment to another; nothing when the later one has not come. */
function between(from: Moment, to: Moment, unitsPerMs: number): (command: FormatCommand) => Operator {
  return () => (context) => {
    const start = from(context);
    const end = to(context);
    return start < 0 || end < 0 ? null : Math.max(0, Math.trunc((end - start) * unitsPerMs));
  };
}
