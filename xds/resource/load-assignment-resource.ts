// Members of clusters (EDS), each under the service name of its cluster.

import type { LoadAssignment } from '../../config/endpoint.ts';
import { checkLiteralAddresses } from '../decode/discovery.ts';
import { decodeLoadAssignment } from '../decode/endpoint.ts';
import type { ClusterLoadAssignment as Message } from '../generated/messages.ts';
import { makeResourceDecoder, type ResourceDecoder } from './resource-decoder.ts';

export const loadAssignmentDecoder: ResourceDecoder<LoadAssignment> = makeResourceDecoder({
  messageName: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  shortName: 'eds',
  isDecodedAhead: true,
  decode(message: Message, problems) {
    const assignment = decodeLoadAssignment(message, problems);
    checkLiteralAddresses(assignment, problems);
    return assignment;
  },
});
