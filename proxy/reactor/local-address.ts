import { formatAddress } from '../../config/address.ts';
import type { ByteStream } from './byte-stream.ts';

/** `127.0.0.1:8080`, `[::1]:8080` or a path; empty where the kernel tells none. */
export function localAddressText(stream: Pick<ByteStream, 'localAddress'>): string {
  const address = stream.localAddress();
  return address === undefined ? '' : formatAddress(address);
}
