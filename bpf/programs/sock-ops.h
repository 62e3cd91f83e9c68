// What both programs at sockops read of a connection, and how they ask to hear more of it.

#pragma once

#include "address.h"

/** Both ends as the socket has them. Ports in host order. */
struct ends {
  struct address local;
  struct address remote;
  __u16 local_port;
  __u16 remote_port;
};

/** `local_port` is in host order, `remote_port` in network order at the upper end of a big-endian word. */
static __always_inline struct ends ends_of(struct bpf_sock_ops *ctx) {
  struct ends ends;
  if (READ_CONTEXT(ctx, family) == AF_INET6) {
    ends.local.ip[0] = READ_CONTEXT(ctx, local_ip6[0]);
    ends.local.ip[1] = READ_CONTEXT(ctx, local_ip6[1]);
    ends.local.ip[2] = READ_CONTEXT(ctx, local_ip6[2]);
    ends.local.ip[3] = READ_CONTEXT(ctx, local_ip6[3]);
    ends.remote.ip[0] = READ_CONTEXT(ctx, remote_ip6[0]);
    ends.remote.ip[1] = READ_CONTEXT(ctx, remote_ip6[1]);
    ends.remote.ip[2] = READ_CONTEXT(ctx, remote_ip6[2]);
    ends.remote.ip[3] = READ_CONTEXT(ctx, remote_ip6[3]);
  } else {
    ends.local = mapped_address(READ_CONTEXT(ctx, local_ip4));
    ends.remote = mapped_address(READ_CONTEXT(ctx, remote_ip4));
  }
  ends.local_port = (__u16)READ_CONTEXT(ctx, local_port);
  ends.remote_port = (__u16)bpf_ntohl(READ_CONTEXT(ctx, remote_port));
  return ends;
}

/**
 * Asks for the callbacks of `flags` (BPF_SOCK_OPS_*_CB_FLAG) beside those that others asked for: the set is the socket's,
 * and a program that writes its own alone turns its neighbours deaf.
 */
static __always_inline void listen_to(struct bpf_sock_ops *ctx, __u32 flags) {
  bpf_sock_ops_cb_flags_set(ctx, READ_CONTEXT(ctx, bpf_sock_ops_cb_flags) | flags);
}
