// Replies that the configuration holds (`direct_response`).

import type { DirectResponseAction } from '../../config/route.ts';
import { toByteString, withoutControls } from '../format/byte-string.ts';
import type { Format } from '../format/format.ts';
import { compileLogFormat } from '../format/json-format.ts';
import { sharedContext } from '../format/shared-context.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';

export class CompiledDirectResponse {
  readonly kind = 'direct-response';
  readonly config: DirectResponseAction;
  readonly status: number;
  /** Of a body that a format makes, whatever the route does to headers; empty where that is not said. */
  readonly contentType: string;
  readonly #format: Format | null;

  constructor(config: DirectResponseAction) {
    this.config = config;
    this.status = config.status;
    this.contentType = withoutControls(toByteString(config.bodyFormat?.contentType ?? ''));
    this.#format = config.bodyFormat === undefined ? null : compileLogFormat(config.bodyFormat.format);
  }

  /** As in Envoy a format is written before anything is known of the response. */
  body(head: RequestHead, info: StreamInfo): Uint8Array {
    const { body } = this.config;
    if (this.#format === null) return body;
    const context = sharedContext(info, head, null);
    context.localReplyBody = Buffer.from(body).latin1Slice();
    return Buffer.from(this.#format.write(context), 'latin1');
  }
}
