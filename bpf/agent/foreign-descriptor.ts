// Giving up descriptors that a peer handed over. Who closes the last one of a file waits for it: as long as SO_LINGER says
// while bytes are unsent, non-blocking or not (socket(7)), and for a file system that some process serves. All of that is the
// peer's choice, and the thread that waits would serve nobody. So a socket is kept from waiting, and another thread closes:
// the peer could set the option again in between.

import { close } from 'node:fs';
import { unsetLinger } from '../../native/socket.ts';

/** It is closed in some time; its number is nobody else's before. */
export function closeForeign(fd: number): void {
  // Of no effect on what is no socket.
  unsetLinger(fd);
  // What writing back failed with concerns the peer alone, and the descriptor is gone in any case (close(2)).
  close(fd, () => {});
}
