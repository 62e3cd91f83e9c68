// From the bytes of a resource to its domain type: wire → message → checks → values, the road of a bootstrap's messages.
// There is one file for each type that a control plane sends.

import type { Problems } from '../../config/problems.ts';
import type { ResourceType } from '../client/discovery.ts';
import { given } from '../decode/given.ts';
import { checkMessage } from '../message/message-check.ts';
import { decodeMessage } from '../message/wire-message.ts';
import { resourceNameOf } from './resource-name.ts';

export interface ResourceDecoder<T> {
  readonly type: ResourceType;
  /** False for types whose resources are named by where they belong rather than in their message. */
  readonly isSentUnderOwnName: boolean;
  /** Paths of problems begin in the resource. Undefined only with problems; with problems the value is of no use. */
  readonly decode: (bytes: Uint8Array, problems: Problems) => T | undefined;
  /**
   * A large response may be decoded before its turn, as bytes alone say what comes of them. The file that a direct response has
   * its body from is read then, too: nothing follows it afterwards, either.
   */
  readonly isDecodedAhead?: boolean;
  /** Decodes one resource in steps, for a `decode` of the same bytes that follows; undefined when it is not worth it. */
  prepare?(bytes: Uint8Array): Iterator<unknown> | undefined;
  /** Whether keys are written in a resource: it is not kept on the disk then. */
  holdsKeys?(value: T): boolean;
}

export interface ResourceDecoderOptions<M, T> {
  /** Full name, such as `envoy.config.cluster.v3.Cluster`. */
  readonly messageName: string;
  readonly shortName: string;
  /** True when it is not given. */
  readonly isSentUnderOwnName?: boolean;
  /** Not when it is not given: what is read beside the bytes, such as files and runtime values, is that of its turn. */
  readonly isDecodedAhead?: boolean;
  readonly decode: (message: M, problems: Problems) => T | undefined;
  readonly holdsKeys?: (value: T) => boolean;
}

export function makeResourceDecoder<M, T>(options: ResourceDecoderOptions<M, T>): ResourceDecoder<T> {
  const { messageName, shortName } = options;
  return {
    type: { typeUrl: `type.googleapis.com/${messageName}`, shortName, nameOf: resourceNameOf },
    isSentUnderOwnName: options.isSentUnderOwnName ?? true,
    isDecodedAhead: options.isDecodedAhead ?? false,
    ...given('holdsKeys', options.holdsKeys),
    decode(bytes, problems) {
      const message = decodeMessage(bytes, messageName, problems);
      if (message === undefined) return undefined;
      checkMessage(message, messageName, problems);
      return options.decode(message as M, problems);
    },
  };
}
