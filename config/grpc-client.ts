// What all clients of gRPC calls of our own have in common, whoever they go to: control planes, authorities, agents, collectors.
// Messages are bytes: what is in them is known to who makes the call.

/** Channel options: every client has a connection of its own, and nothing but its address decides where that leads. */
export const grpcClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  // A proxy in the environment is for the workload beside us.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
} as const;

export function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.length);
}

export function asBytes(message: Buffer): Uint8Array {
  return message;
}
