// The answer to getsockopt(SO_ORIGINAL_DST), in the form that conntrack gives it (linux/netfilter_ipv4.h and its IPv6
// counterpart): a sockaddr_in at level SOL_IP, a sockaddr_in6 at level SOL_IPV6.

#pragma once

#include "address.h"

/**
 * A program that leaves a value longer than a page as it is must say so by a length of 0, or the call fails.
 * https://docs.kernel.org/bpf/prog_cgroup_sockopt.html
 */
#define LONGEST_VALUE 4096

static __always_inline bool asks_for_original(struct bpf_sockopt *ctx) {
  if (ctx->optlen > LONGEST_VALUE) {
    WRITE_CONTEXT(ctx, optlen, 0);
    return false;
  }
  return ctx->optname == SO_ORIGINAL_DST && (ctx->level == SOL_IP || ctx->level == SOL_IPV6);
}

/** False where the other level is asked for, or too little room is given: the caller gets what it would have without us. */
static __always_inline bool answer_original(struct bpf_sockopt *ctx, const struct address *address, __be16 port) {
  void *value = ctx->optval;
  void *end = ctx->optval_end;
  if (is_mapped(address) != (ctx->level == SOL_IP)) return false;
  if (is_mapped(address)) {
    struct sockaddr_in *answer = value;
    if ((void *)(answer + 1) > end) return false;
    *answer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = address->ip[3]};
    WRITE_CONTEXT(ctx, optlen, sizeof(*answer));
  } else {
    struct sockaddr_in6 *answer = value;
    if ((void *)(answer + 1) > end) return false;
    *answer = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    __builtin_memcpy(&answer->sin6_addr, address, sizeof(*address));
    WRITE_CONTEXT(ctx, optlen, sizeof(*answer));
  }
  WRITE_CONTEXT(ctx, retval, 0);
  return true;
}

static __always_inline struct address remote_address(struct bpf_sock *socket) {
  if (socket->family == AF_INET) return mapped_address(READ_CONTEXT(socket, dst_ip4));
  return (struct address){.ip = {READ_CONTEXT(socket, dst_ip6[0]), READ_CONTEXT(socket, dst_ip6[1]),
                                 READ_CONTEXT(socket, dst_ip6[2]), READ_CONTEXT(socket, dst_ip6[3])}};
}

static __always_inline struct address local_address(struct bpf_sock *socket) {
  if (socket->family == AF_INET) return mapped_address(READ_CONTEXT(socket, src_ip4));
  return (struct address){.ip = {READ_CONTEXT(socket, src_ip6[0]), READ_CONTEXT(socket, src_ip6[1]),
                                 READ_CONTEXT(socket, src_ip6[2]), READ_CONTEXT(socket, src_ip6[3])}};
}
