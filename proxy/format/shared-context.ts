// The context of formats that are written at once, into a header or a body, and keep nothing of it: one object for every
// request of the thread.

import type { RequestHead, ResponseHead } from '../http/message.ts';
import { StreamInfo } from '../http/stream-info.ts';
import type { FormatContext } from './format-context.ts';

const shared: FormatContext = {
  info: new StreamInfo(),
  request: null,
  response: null,
  responseTrailers: null,
  localReplyBody: '',
};

export function sharedContext(info: StreamInfo, request: RequestHead, response: ResponseHead | null): FormatContext {
  shared.info = info;
  shared.request = request;
  shared.response = response;
  // Who has one says so afterwards: that of another request is none of this one's.
  shared.localReplyBody = '';
  return shared;
}
