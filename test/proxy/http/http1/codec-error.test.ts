import t from 'tap';
import * as errors from '../../../../proxy/http/http1/codec-error.ts';
import { ResponseFlag } from '../../../../proxy/http/stream-info.ts';

const groups = Object.values(errors) as readonly Readonly<Record<string, unknown>>[];

function* all(group: Readonly<Record<string, unknown>>): Generator<errors.CodecError> {
  for (const member of Object.values(group)) {
    if (typeof member !== 'object' || member === null) continue;
    if ('reason' in member) yield member as errors.CodecError;
    else yield* all(member as Readonly<Record<string, unknown>>);
  }
}

t.test('every error is a constant with a sentence, the status of whose fault it is, and its flag', async (t) => {
  const found = groups.flatMap((group) => [...all(group)]);
  t.ok(found.length > 40, `${found.length} errors`);
  for (const error of found) {
    const isUpstream = error.flag === ResponseFlag.upstreamProtocolError;
    t.ok(Object.isFrozen(error), error.reason);
    t.match(error.reason, /^[a-zA-Z].*[a-z0-9")%]$/i, 'a sentence without its full stop');
    t.match(error.details, /^[a-z0-9_.]+$/);
    t.ok(isUpstream ? error.status === 502 : error.status >= 400 && error.status < 506 && error.status !== 502);
    if (!isUpstream) t.equal(error.flag, ResponseFlag.downstreamProtocolError);
  }
});
