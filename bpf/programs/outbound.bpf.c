// Outbound: an application's connections go to the proxy instead, and the proxy can ask where they were going with the
// same getsockopt(SO_ORIGINAL_DST) that iptables answers.
//
//   connect           what was asked is kept with the socket (`sk_orig`), and the proxy's address put in its place
//   sockops           once the socket has its own address, and before the SYN leaves, what was asked is kept by that
//                     address too (`orig`): all that the proxy knows of the other end
//   getsockopt        tells it to the proxy
//   getpeername       tells the application what it asked for
//   sendmsg, recvmsg  do the same for DNS by sockets that are not connected
//
// Programs at the same cgroup are run one after another. Whoever refuses, refuses for all, so none of ours returns 0
// unless it means to; what another one answered stays unless we know better.

#include "counters.h"
#include "original-answer.h"
#include "original.h"
#include "port-set.h"
#include "sock-ops.h"
#include "special-address.h"

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
/** And for users: 0 when `uids` and `gids` say which to include, of which one suffices. */
const volatile __u8 default_user = 1;
/** 0: `cgroups` is empty, and nobody's cgroup is looked up in it. */
const volatile __u8 lists_cgroups = 1;

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

/** Values: enum rule. A cgroup counts for those below it, unless one of them has its own. */
RULES(cgroups, __u64);
RULES(uids, __u32);
RULES(gids, __u32);
/** Servers whose queries are captured; the value says nothing. */
RULES(dns_servers, struct address);

/** Containers are some 6 cgroups below the root; what is deeper counts for what is this deep. */
#define CGROUP_LEVELS 16

#define DNS_PORT bpf_htons(53)

/**
 * Whose connection it is. The proxy's own must never be captured, or they come back to it without end; which of the signs
 * there is depends on who deploys it. In a user namespace the uid seen here is the one outside of it: then cgroup or mark.
 */
static __always_inline __u32 judge_caller(struct bpf_sock_addr *ctx, __u32 uid, __u32 gid) {
  // Programs attached above the pod meet the connections of others. A branch that a constant rules out is removed before
  // the kernel checks it: this one needs no helper unless it is asked for (likewise below).
  if (netns_cookie && bpf_get_netns_cookie(ctx) != netns_cookie) return PASSED_NETNS;
  if (proxy_mark && ctx->sk && ctx->sk->mark == proxy_mark) return PASSED_PROXY_MARK;
  __u8 *user = bpf_map_lookup_elem(&uids, &uid);
  if (user && *user == EXCLUDE) return PASSED_UID;
  __u8 *group = bpf_map_lookup_elem(&gids, &gid);
  if (group && *group == EXCLUDE) return PASSED_GID;
  if (!default_user && !user && !group) return PASSED_UID;
  __u8 innermost = default_cgroup ? INCLUDE : EXCLUDE;
  if (!proxy_cgroup && !lists_cgroups) return innermost == EXCLUDE ? PASSED_CGROUP : CAPTURED_TCP4;
  for (int level = 1; level <= CGROUP_LEVELS; level++) {
    __u64 cgroup = bpf_get_current_ancestor_cgroup_id(level);
    if (!cgroup) break;
    if (cgroup == proxy_cgroup) return PASSED_PROXY_CGROUP;
    __u8 *rule = lists_cgroups ? bpf_map_lookup_elem(&cgroups, &cgroup) : NULL;
    if (rule) innermost = *rule;
  }
  return innermost == EXCLUDE ? PASSED_CGROUP : CAPTURED_TCP4;
}

/** Excludes win, ports before addresses: as istio-iptables orders its rules. */
static __always_inline __u32 judge_destination(const struct endpoint *asked) {
  const struct address *address = &asked->address;
  __u16 port = bpf_ntohs(asked->port);
  if (is_loopback(address)) {
    if (!captures_loopback) return PASSED_LOOPBACK;
    if (port == outbound_port || port == inbound_port || (dns_port && port == dns_port)) return PASSED_PROXY_PORT;
  }
  if (!captures_link_local && is_link_local(address)) return PASSED_LINK_LOCAL;
  if (!captures_link_local && is_metadata(address)) return PASSED_METADATA;
  if (is_multicast(address)) return PASSED_MULTICAST;
  if (has_port(&ports_out, PORT_EXCLUDED, port)) return PASSED_PORT;
  struct cidr key = {.prefix_bits = 128, .address = *address};
  __u8 *rule = bpf_map_lookup_elem(&cidrs_out, &key);
  if (rule && *rule == EXCLUDE) return PASSED_CIDR;
  if (rule || default_capture || has_port(&ports_out, PORT_INCLUDED, port)) return CAPTURED_TCP4;
  return PASSED_NOT_INCLUDED;
}

/**
 * A server that is named is asked through the proxy wherever it is: resolv.conf names link-local and loopback ones. "Any"
 * leaves loopback alone, where the proxy's own resolver may listen.
 */
static __always_inline bool is_captured_dns(const struct endpoint *asked) {
  if (!dns_port || asked->port != DNS_PORT) return false;
  return bpf_map_lookup_elem(&dns_servers, &asked->address) || (dns_any && !is_loopback(&asked->address));
}

static __always_inline bool finds(struct bpf_sock_addr *ctx, struct bpf_sock_tuple *tuple, __u32 bytes) {
  struct bpf_sock *listener = READ_CONTEXT(ctx, protocol) == IPPROTO_UDP
                                  ? bpf_sk_lookup_udp(ctx, tuple, bytes, BPF_F_CURRENT_NETNS, 0)
                                  : bpf_sk_lookup_tcp(ctx, tuple, bytes, BPF_F_CURRENT_NETNS, 0);
  if (!listener) return false;
  bpf_sk_release(listener);
  return true;
}

/**
 * Whether somebody listens at the proxy's port in the caller's network namespace. A tuple for each family: in one, the port
 * would lie at an offset that is computed, which the verifier refuses who has no CAP_PERFMON.
 */
static __always_inline bool has_listener(struct bpf_sock_addr *ctx, bool is_ip4, __be16 port) {
  if (is_ip4) {
    struct bpf_sock_tuple tuple4 = {.ipv4 = {.daddr = LOOPBACK_IP4, .dport = port}};
    return finds(ctx, &tuple4, sizeof(tuple4.ipv4));
  }
  struct bpf_sock_tuple tuple6 = {.ipv6 = {.daddr = {0, 0, 0, LOOPBACK_IP6}, .dport = port}};
  return finds(ctx, &tuple6, sizeof(tuple6.ipv6));
}

static __always_inline bool is_captured(__u32 verdict) {
  return verdict <= CAPTURED_DNS;
}

static __always_inline __be16 proxy_port_of(__u32 verdict) {
  return bpf_htons(verdict == CAPTURED_DNS ? dns_port : outbound_port);
}

/** A verdict: one of the counters CAPTURED_*, with what was asked kept by the socket, or why not. */
static __always_inline __u32 capture(struct bpf_sock_addr *ctx, const struct endpoint *asked) {
  __u64 id = bpf_get_current_uid_gid();
  __u32 verdict = judge_caller(ctx, (__u32)id, id >> 32);
  if (verdict != CAPTURED_TCP4) return verdict;
  bool is_ip4 = is_mapped(&asked->address);
  if (is_captured_dns(asked)) {
    verdict = CAPTURED_DNS;
  } else {
    if (READ_CONTEXT(ctx, protocol) != IPPROTO_TCP) return PASSED_PROTOCOL;
    verdict = judge_destination(asked);
    if (verdict != CAPTURED_TCP4) return verdict;
    if (!is_ip4) verdict = CAPTURED_TCP6;
  }
  // Closed: it is redirected all the same, and refused where nobody listens.
  if (fail_open && !has_listener(ctx, is_ip4, proxy_port_of(verdict))) return PASSED_NO_LISTENER;
  struct original *original = bpf_sk_storage_get(&sk_orig, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
  // The proxy could not tell where such a connection is to go.
  if (!original) return fail_open ? PASSED_NO_MEMORY : REFUSED_NO_MEMORY;
  original->destination = *asked;
  original->uid = (__u32)id;
  original->cookie = bpf_get_socket_cookie(ctx);
  original->cgroup = bpf_get_current_cgroup_id();
  return verdict;
}

static __always_inline struct endpoint asked_of4(struct bpf_sock_addr *ctx) {
  return (struct endpoint){
      .address = mapped_address(READ_CONTEXT(ctx, user_ip4)),
      .port = READ_CONTEXT(ctx, user_port),
      .family = AF_INET,
  };
}

static __always_inline struct endpoint asked_of6(struct bpf_sock_addr *ctx) {
  return (struct endpoint){
      .address = {.ip = {READ_CONTEXT(ctx, user_ip6[0]), READ_CONTEXT(ctx, user_ip6[1]), READ_CONTEXT(ctx, user_ip6[2]),
                         READ_CONTEXT(ctx, user_ip6[3])}},
      .port = READ_CONTEXT(ctx, user_port),
      .family = AF_INET6,
  };
}

static __always_inline void set_endpoint4(struct bpf_sock_addr *ctx, __be32 ip4, __be16 port) {
  WRITE_CONTEXT(ctx, user_ip4, ip4);
  WRITE_CONTEXT(ctx, user_port, port);
}

static __always_inline void set_endpoint6(struct bpf_sock_addr *ctx, const struct address *address, __be16 port) {
  WRITE_CONTEXT(ctx, user_ip6[0], address->ip[0]);
  WRITE_CONTEXT(ctx, user_ip6[1], address->ip[1]);
  WRITE_CONTEXT(ctx, user_ip6[2], address->ip[2]);
  WRITE_CONTEXT(ctx, user_ip6[3], address->ip[3]);
  WRITE_CONTEXT(ctx, user_port, port);
}

/** A socket that asked for an IPv4 address in mapped form stays with IPv4, as it would have without us. */
static __always_inline void set_proxy6(struct bpf_sock_addr *ctx, const struct endpoint *asked, __u32 verdict) {
  struct address proxy = {.ip = {0, 0, 0, LOOPBACK_IP6}};
  if (is_mapped(&asked->address)) proxy = mapped_address(LOOPBACK_IP4);
  set_endpoint6(ctx, &proxy, proxy_port_of(verdict));
}

/** 1: the system call goes on; 0: it fails with EPERM. */
static __always_inline int end_connect(struct bpf_sock_addr *ctx, __u32 verdict) {
  count_one(verdict);
  // A socket may be connected again after it failed, or by UDP at any time: what it asked for before is no longer true.
  if (!is_captured(verdict)) bpf_sk_storage_delete(&sk_orig, ctx->sk);
  return verdict != REFUSED_NO_MEMORY;
}

SEC("cgroup/connect4") int or_connect4(struct bpf_sock_addr *ctx) {
  struct endpoint asked = asked_of4(ctx);
  __u32 verdict = capture(ctx, &asked);
  if (is_captured(verdict)) set_endpoint4(ctx, LOOPBACK_IP4, proxy_port_of(verdict));
  return end_connect(ctx, verdict);
}

/** Mapped addresses arrive here, not at connect4. */
SEC("cgroup/connect6") int or_connect6(struct bpf_sock_addr *ctx) {
  struct endpoint asked = asked_of6(ctx);
  __u32 verdict = capture(ctx, &asked);
  if (is_captured(verdict)) set_proxy6(ctx, &asked, verdict);
  return end_connect(ctx, verdict);
}

/**
 * What the socket asked for, where `shown` is the proxy's end that stands for it: at `port`, or at any that it has for
 * connections when that is 0.
 */
static __always_inline struct original *original_of(struct bpf_sock_addr *ctx, const struct endpoint *shown, __u16 port) {
  if (!is_proxy_address(&shown->address)) return NULL;
  __u16 at = bpf_ntohs(shown->port);
  if (port ? at != port : at != outbound_port && at != dns_port) return NULL;
  return bpf_sk_storage_get(&sk_orig, ctx->sk, NULL, 0);
}

SEC("cgroup/getpeername4") int or_peer4(struct bpf_sock_addr *ctx) {
  struct endpoint shown = asked_of4(ctx);
  struct original *original = original_of(ctx, &shown, 0);
  if (!original) return 1;
  set_endpoint4(ctx, original->destination.address.ip[3], original->destination.port);
  count_one(PEER_RESTORED);
  return 1;
}

SEC("cgroup/getpeername6") int or_peer6(struct bpf_sock_addr *ctx) {
  struct endpoint shown = asked_of6(ctx);
  struct original *original = original_of(ctx, &shown, 0);
  if (!original) return 1;
  set_endpoint6(ctx, &original->destination.address, original->destination.port);
  count_one(PEER_RESTORED);
  return 1;
}

/**
 * Queries by sockets that are not connected. One socket may ask several servers; to the proxy they are one, and nothing in
 * its answer tells which was meant. The one asked last is shown as the source: right for who asks one server after
 * another, and an address that was asked, which is what they check, for who asks all at once.
 * Other datagrams are not counted: they are no connections, and a counter that all CPUs write would slow them down.
 */
SEC("cgroup/sendmsg4") int or_send4(struct bpf_sock_addr *ctx) {
  struct endpoint asked = asked_of4(ctx);
  if (!is_captured_dns(&asked)) return 1;
  __u32 verdict = capture(ctx, &asked);
  if (is_captured(verdict)) set_endpoint4(ctx, LOOPBACK_IP4, proxy_port_of(verdict));
  count_one(verdict);
  return verdict != REFUSED_NO_MEMORY;
}

/** Queries to mapped addresses arrive at sendmsg4. */
SEC("cgroup/sendmsg6") int or_send6(struct bpf_sock_addr *ctx) {
  struct endpoint asked = asked_of6(ctx);
  if (!is_captured_dns(&asked)) return 1;
  __u32 verdict = capture(ctx, &asked);
  if (is_captured(verdict)) set_proxy6(ctx, &asked, verdict);
  count_one(verdict);
  return verdict != REFUSED_NO_MEMORY;
}

/** Resolvers drop an answer whose source they did not ask. The kernel takes no other return value than 1 here. */
SEC("cgroup/recvmsg4") int or_recv4(struct bpf_sock_addr *ctx) {
  struct endpoint shown = asked_of4(ctx);
  struct original *original = dns_port ? original_of(ctx, &shown, dns_port) : NULL;
  if (!original) return 1;
  set_endpoint4(ctx, original->destination.address.ip[3], original->destination.port);
  count_one(SOURCE_RESTORED);
  return 1;
}

/** An IPv6 socket gets answers to mapped queries here, not at recvmsg4. */
SEC("cgroup/recvmsg6") int or_recv6(struct bpf_sock_addr *ctx) {
  struct endpoint shown = asked_of6(ctx);
  struct original *original = dns_port ? original_of(ctx, &shown, dns_port) : NULL;
  if (!original) return 1;
  set_endpoint6(ctx, &original->destination.address, original->destination.port);
  count_one(SOURCE_RESTORED);
  return 1;
}

/**
 * TCP_CONNECT_CB: the socket has its address and port, and the SYN is not sent yet, so the entry is there before anybody
 * can accept the connection. At ESTABLISHED it would come too late for who resets at once. The callback comes unasked: the
 * socket's callback flags, which programs beside ours may have set, are left alone.
 * Always 1: with 0 the kernel ignores what other programs replied to it.
 */
SEC("sockops") int or_sockops(struct bpf_sock_ops *ctx) {
  if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB) return 1;
  struct bpf_sock *socket = ctx->sk;
  if (!socket) return 1;
  struct original *original = bpf_sk_storage_get(&sk_orig, socket, NULL, 0);
  struct ends ends = ends_of(ctx);
  struct peer peer = {.address = ends.local, .port = ends.local_port, .proxy_port = ends.remote_port};
  if (original) {
    count_one(bpf_map_update_elem(&orig, &peer, original, BPF_ANY) ? ORIGINAL_LOST : ORIGINAL_STORED);
  } else if (ends.remote_port == outbound_port || ends.remote_port == dns_port) {
    // Who connects to the proxy itself, by whichever address, must not be taken for who had this port before.
    bpf_map_delete_elem(&orig, &peer);
  }
  return 1;
}

/**
 * The proxy asks about a connection that it accepted. It is found by the other end: when the client has reset by now, the
 * socket no longer has a port of its own, and is taken for one that came for a connection, not for DNS. What was asked here is right even where conntrack has an
 * answer: conntrack saw a connection to the proxy, and nothing of what came before.
 */
SEC("cgroup/getsockopt") int or_getsockopt(struct bpf_sockopt *ctx) {
  if (!asks_for_original(ctx)) return 1;
  struct bpf_sock *socket = ctx->sk;
  if (!socket || socket->protocol != IPPROTO_TCP) return 1;
  struct peer peer = {
      .address = remote_address(socket),
      .port = bpf_ntohs(socket->dst_port),
      .proxy_port = dns_port && socket->src_port == dns_port ? dns_port : outbound_port,
  };
  struct original *original = bpf_map_lookup_elem(&orig, &peer);
  if (!original) {
    count_one(ORIGINAL_UNKNOWN);
  } else if (answer_original(ctx, &original->destination.address, original->destination.port)) {
    count_one(ORIGINAL_ANSWERED);
  }
  return 1;
}
