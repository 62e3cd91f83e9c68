// Addresses that mean something by themselves: they are not captured unless that is asked for.

#pragma once

#include "address.h"

#define LOOPBACK_IP4 bpf_htonl(0x7f000001)
#define LOOPBACK_IP6 bpf_htonl(1)

/** What of the loopback address of the family the proxy listens on: 127.0.0.1, as such or mapped, or ::1. */
static __always_inline bool is_proxy_address(const struct address *address) {
  if (is_mapped(address)) return address->ip[3] == LOOPBACK_IP4;
  return !address->ip[0] && !address->ip[1] && !address->ip[2] && address->ip[3] == LOOPBACK_IP6;
}

#define IS_IN4(ip4, network, bits) (bpf_ntohl(ip4) >> (32 - (bits)) == (__u32)(network) >> (32 - (bits)))

/** 127.0.0.0/8 and ::1; 0.0.0.0 and ::, since a connection to no address is one to this machine. */
static __always_inline bool is_loopback(const struct address *address) {
  if (is_mapped(address)) return IS_IN4(address->ip[3], 0x7f000000, 8) || address->ip[3] == 0;
  return !address->ip[0] && !address->ip[1] && !address->ip[2] && (!address->ip[3] || address->ip[3] == LOOPBACK_IP6);
}

/** 169.254.0.0/16, fe80::/10 (RFC 3927, RFC 4291). */
static __always_inline bool is_link_local(const struct address *address) {
  if (is_mapped(address)) return IS_IN4(address->ip[3], 0xa9fe0000, 16);
  return bpf_ntohl(address->ip[0]) >> 22 == 0xfe800000 >> 22;
}

/**
 * Where clouds tell a machine who it is, besides 169.254.169.254: Azure 168.63.129.16, Alibaba 100.100.100.200, AWS
 * fd00:ec2::254. They tell by where a question comes from, and nobody but the application may ask in its name.
 */
static __always_inline bool is_metadata(const struct address *address) {
  if (is_mapped(address)) {
    return address->ip[3] == bpf_htonl(0xa83f8110) || address->ip[3] == bpf_htonl(0x646464c8);
  }
  return address->ip[0] == bpf_htonl(0xfd000ec2) && !address->ip[1] && !address->ip[2] &&
         address->ip[3] == bpf_htonl(0x254);
}

/** 224.0.0.0/4, 255.255.255.255, ff00::/8: no single endpoint, so nothing that a proxy could connect to. */
static __always_inline bool is_multicast(const struct address *address) {
  if (is_mapped(address)) return IS_IN4(address->ip[3], 0xe0000000, 4) || address->ip[3] == 0xffffffff;
  return bpf_ntohl(address->ip[0]) >> 24 == 0xff;
}
