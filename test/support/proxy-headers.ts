// Headers of the PROXY protocol.

/** Version 2: version and command, family and transport, and what follows the length. */
export function proxyHeader2(command: number, family: number, rest: Buffer): Buffer {
  const fixed = Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), command, family, 0, 0]);
  fixed.writeUInt16BE(rest.length, 14);
  return Buffer.concat([fixed, rest]);
}
