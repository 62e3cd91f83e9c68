// Addresses as maps and events hold them: always 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2),
// so that one map and one comparison serve both families, and a mapped address of an IPv6 socket is the IPv4 one it means.

#pragma once

#include "kernel.h"

struct address {
  __be32 ip[4];
};

/** One end of a connection. `family` is that of the socket that was asked: AF_INET6 for a mapped address. */
struct endpoint {
  struct address address;
  __be16 port;
  __u16 family;
};

#define MAPPED_PREFIX bpf_htonl(0xffff)

static __always_inline struct address mapped_address(__be32 ip4) {
  return (struct address){.ip = {0, 0, MAPPED_PREFIX, ip4}};
}

static __always_inline bool is_mapped(const struct address *address) {
  return address->ip[0] == 0 && address->ip[1] == 0 && address->ip[2] == MAPPED_PREFIX;
}

static __always_inline bool is_same_address(const struct address *a, const struct address *b) {
  return a->ip[0] == b->ip[0] && a->ip[1] == b->ip[1] && a->ip[2] == b->ip[2] && a->ip[3] == b->ip[3];
}
