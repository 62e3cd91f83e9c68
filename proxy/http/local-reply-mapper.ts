// `local_reply_config`: the first mapper whose filter fits a reply of ours may change its status, body, headers and form.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/local_reply

import type { LocalReplyConfig, LocalReplyFormat, LocalReplyMapper } from '../../config/http-connection-manager.ts';
import { toByteString, withoutControls } from '../format/byte-string.ts';
import type { Format } from '../format/format.ts';
import type { FormatContext } from '../format/format-context.ts';
import { compileLogFormat } from '../format/json-format.ts';
import { type CompiledHeaderMutation, compileHeaderMutation } from '../route/header-mutation.ts';
import {
  type AccessLogPredicate,
  compileAccessLogFilter,
  type FilterEnvironment,
} from '../telemetry/access-log-filter.ts';
import type { ResponseHead } from './message.ts';

/** Body and content type of a reply in the making. The body is a byte string: each character one byte. */
export interface LocalReplyDraft {
  body: string;
  contentType: string;
}

/** Null when the configuration changes nothing. */
export function compileLocalReplyMapping(
  config: LocalReplyConfig,
  environment: FilterEnvironment,
): LocalReplyMapping | null {
  if (config.mappers.length === 0 && config.bodyFormat === undefined) return null;
  return new LocalReplyMapping(config, environment);
}

export class LocalReplyMapping {
  readonly #mappers: readonly CompiledMapper[];
  readonly #format: CompiledReplyFormat | null;

  constructor(config: LocalReplyConfig, environment: FilterEnvironment) {
    this.#mappers = config.mappers.map((mapper) => compileMapper(mapper, environment));
    this.#format = compileReplyFormat(config.bodyFormat);
  }

  /**
   * Applies mapper and format. `context` holds the reply's head and a `StreamInfo` whose response code is the reply's;
   * both follow a status that a mapper changes.
   */
  apply(head: ResponseHead, draft: LocalReplyDraft, context: FormatContext): void {
    const mapper = this.#find(context);
    let format = this.#format;
    if (mapper !== null) {
      if (mapper.body !== null) draft.body = mapper.body;
      // Before the status changes: the added values may tell what it was.
      mapper.headers?.apply(head.headers, context);
      if (mapper.status !== 0) {
        head.status = mapper.status;
        context.info.responseCode = mapper.status;
      }
      format = mapper.format ?? format;
    }
    if (format === null) return;
    context.localReplyBody = draft.body;
    draft.body = format.format.write(context);
    draft.contentType = format.contentType;
  }

  #find(context: FormatContext): CompiledMapper | null {
    for (let index = 0; index < this.#mappers.length; index++) {
      if (this.#mappers[index]!.matches(context)) return this.#mappers[index]!;
    }
    return null;
  }
}

interface CompiledMapper {
  readonly matches: AccessLogPredicate;
  /** 0 leaves the reply's. */
  readonly status: number;
  /** Null leaves the reply's. */
  readonly body: string | null;
  readonly headers: CompiledHeaderMutation | null;
  readonly format: CompiledReplyFormat | null;
}

interface CompiledReplyFormat {
  readonly format: Format;
  readonly contentType: string;
}

function compileMapper(config: LocalReplyMapper, environment: FilterEnvironment): CompiledMapper {
  return {
    matches: compileAccessLogFilter(config.filter, environment),
    status: config.status ?? 0,
    body: config.body === undefined ? null : toByteString(config.body),
    headers: compileHeaderMutation([{ add: config.headersToAdd, remove: [] }]),
    format: compileReplyFormat(config.bodyFormat),
  };
}

function compileReplyFormat(config: LocalReplyFormat | undefined): CompiledReplyFormat | null {
  if (config === undefined) return null;
  return { format: compileLogFormat(config.format), contentType: withoutControls(toByteString(config.contentType)) };
}
