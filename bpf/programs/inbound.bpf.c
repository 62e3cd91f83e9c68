// Inbound: connections from outside that would reach one of the application's listeners reach the proxy's instead. Packets
// are not touched, so the accepted socket's local address is the original destination, and there is nothing to remember.

#include "counters.h"
#include "port-set.h"

const volatile __u16 inbound_port = 15006;
const volatile __u16 outbound_port = 15001;
/** 1: while the proxy listens nowhere, the application's listener takes the connection; 0: it is refused. */
const volatile __u8 fail_open = 0;
const volatile __u8 captures_loopback = 0;
/** 1: captured unless `ports_in` excludes the port; 0: only what it includes. */
const volatile __u8 default_capture = 1;
/** 1: the context tells the interface (Linux 5.17). */
const volatile __u8 has_ingress_ifindex = 1;

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
  ASSIGN_FAILED,
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

SEC("sk_lookup") int or_lookup(struct bpf_sk_lookup *ctx) {
  return SK_PASS;
}

SEC("cgroup/getsockopt") int or_getsockopt_in(struct bpf_sockopt *ctx) {
  return 1;
}
