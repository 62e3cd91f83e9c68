// What settings cannot mean together, whichever way they came.

import type { CaptureSettings } from './settings.ts';

/** One sentence, or undefined when there is nothing to object to. */
export function portConflict({ outbound, inbound, dns }: CaptureSettings): string | undefined {
  const ports = [outbound.port, inbound.port, ...(dns === undefined ? [] : [dns.port])];
  const twice = ports.find((port, index) => ports.indexOf(port) !== index);
  // The proxy could not tell what an application asked for from what it is asked for.
  if (twice !== undefined) return `port ${twice} is given for two purposes; outbound, inbound and dns need one each`;
  return undefined;
}
