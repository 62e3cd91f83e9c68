// Inbound: connections from outside that would reach one of the application's listeners reach the proxy's instead. Packets
// are not touched, so the accepted socket's local address is the original destination, and there is nothing to remember.

#include "counters.h"
#include "original-answer.h"
#include "port-set.h"
#include "special-address.h"

const volatile __u16 inbound_port = 15006;
const volatile __u16 outbound_port = 15001;
/** 1: while the proxy listens nowhere, the application's listener takes the connection; 0: it is refused. */
const volatile __u8 fail_open = 0;
/** 1: captured unless `ports_in` excludes the port; 0: only what it includes. */
const volatile __u8 default_capture = 1;
/** 1: the context tells the interface (Linux 5.17). */
const volatile __u8 has_ingress_ifindex = 1;
/** 1: ::6 is an address of this network namespace, so nobody outside can answer for it. */
const volatile __u8 has_istio_source6 = 0;

enum inbound_counter {
  STEERED4,
  STEERED6,
  PASSED_PROTOCOL,
  PASSED_LOOPBACK,
  PASSED_PROXY_PORT,
  PASSED_PORT,
  PASSED_NOT_INCLUDED,
  PASSED_NO_LISTENER,
  REFUSED_NO_LISTENER,
  ORIGINAL_ANSWERED,
  INBOUND_COUNTER_COUNT,
};
DESCRIBED(enum, inbound_counter);
DESCRIBED(enum, port_rule);
COUNTERS(INBOUND_COUNTER_COUNT)

/** Keys of `listeners`. The spare ones are asked next: a successor's listeners wait there. */
enum listener_slot {
  LISTENER4,
  LISTENER6,
  SPARE_LISTENER4,
  SPARE_LISTENER6,
  LISTENER_SLOT_COUNT,
};
DESCRIBED(enum, listener_slot);

struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __uint(max_entries, LISTENER_SLOT_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} listeners SEC(".maps");

PORT_SETS(ports_in);

#define LOOPBACK_INTERFACE 1
/** The last of four words of ::6. */
#define ISTIO_SOURCE_IP6 bpf_htonl(6)

/**
 * The proxy's connections to the application come from this machine: steered, they would come back to it without end. The
 * interface alone does not tell: a connection to the pod's own address travels over loopback, and is said to come in at the
 * interface that has the address. Its source is that address, too, unless the proxy binds to one of loopback's, as Istio has
 * it do (127.0.0.6, ::6). The kernel lets no packet in from outside that says to come from 127.0.0.0/8 or ::1; it does for ::6,
 * and whoever is on the way there could talk past the proxy, unless the address is this namespace's own. No packet at all is what or_connect4 and or_connect6 look for to see whether the proxy listens at
 * its loopback address: from no address, by no interface.
 */
static __always_inline bool is_from_here(struct bpf_sk_lookup *ctx) {
  if (has_ingress_ifindex && ctx->ingress_ifindex == LOOPBACK_INTERFACE) return true;
  if (ctx->family == AF_INET) {
    return ctx->remote_ip4 == ctx->local_ip4 || IS_IN4(ctx->remote_ip4, 0x7f000000, 8) ||
           IS_IN4(ctx->local_ip4, 0x7f000000, 8);
  }
  if (!ctx->local_ip6[0] && !ctx->local_ip6[1] && !ctx->local_ip6[2] && ctx->local_ip6[3] == LOOPBACK_IP6) return true;
  __u32 last = ctx->remote_ip6[3];
  if (!ctx->remote_ip6[0] && !ctx->remote_ip6[1] && !ctx->remote_ip6[2] &&
      (last == LOOPBACK_IP6 || (has_istio_source6 && last == ISTIO_SOURCE_IP6))) {
    return true;
  }
  return ctx->remote_ip6[0] == ctx->local_ip6[0] && ctx->remote_ip6[1] == ctx->local_ip6[1] &&
         ctx->remote_ip6[2] == ctx->local_ip6[2] && last == ctx->local_ip6[3];
}

static __always_inline __u32 judge(struct bpf_sk_lookup *ctx) {
  if (ctx->protocol != IPPROTO_TCP) return PASSED_PROTOCOL;
  __u16 port = ctx->local_port;
  if (port == inbound_port || port == outbound_port) return PASSED_PROXY_PORT;
  if (is_from_here(ctx)) return PASSED_LOOPBACK;
  if (has_port(&ports_in, PORT_EXCLUDED, port)) return PASSED_PORT;
  if (!default_capture && !has_port(&ports_in, PORT_INCLUDED, port)) return PASSED_NOT_INCLUDED;
  return ctx->family == AF_INET ? STEERED4 : STEERED6;
}

/** False when there is none, or it does not take connections of this family. */
static __always_inline bool steer_to(struct bpf_sk_lookup *ctx, __u32 slot) {
  struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &slot);
  if (!listener) return false;
  bool is_assigned = bpf_sk_assign(ctx, listener, 0) == 0;
  bpf_sk_release(listener);
  return is_assigned;
}

/**
 * Runs when a packet of no connection looks for a listener: what is open stays as it is, whether we come or go. Among the
 * sockets that share the listener's port (SO_REUSEPORT) the kernel chooses, so one of them stands for all workers; when
 * its worker ends, it is gone from the map. An IPv6 listener that takes IPv4 too may stand in the slots of IPv4.
 */
SEC("sk_lookup") int or_lookup(struct bpf_sk_lookup *ctx) {
  __u32 verdict = judge(ctx);
  if (verdict <= STEERED6) {
    bool is_ip4 = verdict == STEERED4;
    if (!steer_to(ctx, is_ip4 ? LISTENER4 : LISTENER6) && !steer_to(ctx, is_ip4 ? SPARE_LISTENER4 : SPARE_LISTENER6)) {
      verdict = fail_open ? PASSED_NO_LISTENER : REFUSED_NO_LISTENER;
    }
  }
  count_one(verdict);
  // Dropped, the packet is answered as at a port where nobody listens.
  return verdict == REFUSED_NO_LISTENER ? SK_DROP : SK_PASS;
}

/**
 * The proxy asks where a connection was going: for a steered one, to the address that it is accepted at. With this it asks
 * the same question whatever brought the connection. Where conntrack or another program has answered, that stays.
 */
SEC("cgroup/getsockopt") int or_sockopt_in(struct bpf_sockopt *ctx) {
  if (!asks_for_original(ctx) || ctx->retval == 0) return 1;
  struct bpf_sock *socket = ctx->sk;
  if (!socket || socket->protocol != IPPROTO_TCP) return 1;
  __u16 port = socket->src_port;
  // 0: reset by now. The proxy's own: it was not steered, and or_getsockopt may know better.
  if (!port || port == inbound_port || port == outbound_port) return 1;
  struct address local = local_address(socket);
  if (answer_original(ctx, &local, bpf_htons(port))) count_one(ORIGINAL_ANSWERED);
  return 1;
}
