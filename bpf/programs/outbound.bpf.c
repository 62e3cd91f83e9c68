// Outbound: an application's connections go to the proxy instead, and the proxy can ask where they were going with the
// same getsockopt(SO_ORIGINAL_DST) that iptables answers.

#include "counters.h"
#include "original.h"
#include "port-set.h"

/** What to do with what a list names. */
enum rule {
  EXCLUDE,
  INCLUDE,
};

/** The proxy's port for connections, on the loopback address of the family. Host order, as all ports in constants. */
const volatile __u16 outbound_port = 15001;
const volatile __u16 inbound_port = 15006;
/** The proxy's port for DNS over UDP and TCP; 0: DNS is not captured. */
const volatile __u16 dns_port = 0;
/** 1: queries to any server; 0: to those in `dns_servers`. */
const volatile __u8 dns_any = 0;
/** The proxy's own connections, which are never captured: by SO_MARK and by cgroup; 0: not told so. */
const volatile __u32 proxy_mark = 0;
const volatile __u64 proxy_cgroup = 0;
/** Network namespace to capture in; 0: any. */
const volatile __u64 netns_cookie = 0;
/** 1: what cannot be redirected goes out untouched; 0: it is refused. */
const volatile __u8 fail_open = 0;
const volatile __u8 captures_loopback = 0;
/** With the addresses at which clouds tell machines their secrets. */
const volatile __u8 captures_link_local = 0;
/** 1: captured where neither ports nor addresses say; 0: only what they include. */
const volatile __u8 default_capture = 1;
/** The same for cgroups: 0 when `cgroups` says which to include. */
const volatile __u8 default_cgroup = 1;

enum outbound_counter {
  CAPTURED_TCP4,
  CAPTURED_TCP6,
  CAPTURED_DNS,
  PASSED_PROTOCOL,
  PASSED_NETNS,
  PASSED_PROXY_MARK,
  PASSED_PROXY_CGROUP,
  PASSED_UID,
  PASSED_GID,
  PASSED_CGROUP,
  PASSED_PROXY_PORT,
  PASSED_LOOPBACK,
  PASSED_LINK_LOCAL,
  PASSED_METADATA,
  PASSED_MULTICAST,
  PASSED_PORT,
  PASSED_CIDR,
  PASSED_NOT_INCLUDED,
  PASSED_NO_LISTENER,
  PASSED_NO_MEMORY,
  REFUSED_NO_MEMORY,
  ORIGINAL_STORED,
  ORIGINAL_LOST,
  ORIGINAL_ANSWERED,
  ORIGINAL_UNKNOWN,
  PEER_RESTORED,
  SOURCE_RESTORED,
  OUTBOUND_COUNTER_COUNT,
};
DESCRIBED(enum, outbound_counter);
DESCRIBED(enum, rule);
DESCRIBED(enum, port_rule);
COUNTERS(OUTBOUND_COUNTER_COUNT)

struct cidr {
  __u32 prefix_bits;
  struct address address;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct peer);
  __type(value, struct original);
} orig SEC(".maps");

PORT_SETS(ports_out);

/** The longest prefix decides; IPv4 prefixes are 96 bits longer. Values: enum rule. */
struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 1024);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct cidr);
  __type(value, __u8);
} cidrs_out SEC(".maps");

#define RULES(name, id)                                                                                                \
  struct {                                                                                                             \
    __uint(type, BPF_MAP_TYPE_HASH);                                                                                   \
    __uint(max_entries, 256);                                                                                          \
    __type(key, id);                                                                                                   \
    __type(value, __u8);                                                                                               \
  } name SEC(".maps")

/** Values: enum rule. A cgroup counts for those below it, unless one of them has its own; users are captured unless excluded. */
RULES(cgroups, __u64);
RULES(uids, __u32);
RULES(gids, __u32);
/** Servers whose queries are captured; the value says nothing. */
RULES(dns_servers, struct address);

SEC("cgroup/connect4") int or_connect4(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/connect6") int or_connect6(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/getpeername4") int or_peer4(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/getpeername6") int or_peer6(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/sendmsg4") int or_send4(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/sendmsg6") int or_send6(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/recvmsg4") int or_recv4(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("cgroup/recvmsg6") int or_recv6(struct bpf_sock_addr *ctx) {
  return 1;
}

SEC("sockops") int or_sockops(struct bpf_sock_ops *ctx) {
  return 1;
}

SEC("cgroup/getsockopt") int or_getsockopt(struct bpf_sockopt *ctx) {
  return 1;
}
