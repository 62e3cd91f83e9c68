// The table of names of a mesh (Istio's NDS): one resource, which has no name of its own on the wire.

import type { NameTable } from '../../config/name-table.ts';
import { decodeNameTable } from '../decode/name-table.ts';
import type { NameTable as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

const made = makeResourceDecoder<Message, NameTable>({
  messageName: 'istio.networking.nds.v1.NameTable',
  shortName: 'nds',
  isSentUnderOwnName: false,
  decode: decodeNameTable,
});

export const nameTableDecoder: ResourceDecoder<NameTable> = {
  ...made,
  type: { ...made.type, nameOf: () => 'names' },
};
