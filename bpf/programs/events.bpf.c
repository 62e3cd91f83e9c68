// The life of each connection as the kernel sees it: records in a ring that user space maps and reads without copying them
// (bpf/events/). Nobody is woken for a record; the reader looks in on a timer, and a wake-up would cost more than the record.
//
// A reader that falls behind loses records, never connections: a reservation that fails is counted, and the connection
// goes on.

#include "counters.h"
#include "original.h"
#include "sock-ops.h"

/** One connection in so many is reported, from its beginning to its end. 1: all. */
const volatile __u32 sample_one_in = 1;

enum events_counter {
  EVENTS_WRITTEN,
  /** No room in the ring. */
  EVENTS_LOST,
  /** Connections that are not reported, as `sample_one_in` says. */
  CONNECTIONS_SKIPPED,
  /** Connections that are not reported for want of memory. */
  CONNECTIONS_NO_MEMORY,
  EVENTS_COUNTER_COUNT,
};
DESCRIBED(enum, events_counter);
COUNTERS(EVENTS_COUNTER_COUNT)

enum event_kind {
  OPENED_ACTIVE,
  OPENED_PASSIVE,
  CLOSED,
  CONNECT_FAILED,
};
DESCRIBED(enum, event_kind);

/** What a record of the ring holds. Addresses as everywhere: 16 bytes, IPv4 mapped. Ports in host order. */
struct connection_event {
  /** CLOCK_MONOTONIC. */
  __u64 time_ns;
  /** Since connect(2), for the passive end since its handshake was done. */
  __u64 duration_ns;
  /** The socket's name for the kernel: the same in all events of one end. */
  __u64 cookie;
  /** Of the process that connected or listened; 0 when it did so before there were events. */
  __u64 cgroup;
  __u64 netns;
  /** As TCP counts them, the FIN as one. What is short-circuited (shortcut.bpf.c) does not pass there. */
  __u64 bytes_received;
  /** Sent, and acknowledged by the peer: SYN and FIN count one each. */
  __u64 bytes_acked;
  __u32 srtt_us;
  __u32 min_rtt_us;
  __u32 retransmits;
  /** enum event_kind */
  __u16 kind;
  /** The state (BPF_TCP_*) that the end came from: SYN_SENT when no connection came about. */
  __u16 last_state;
  struct address local;
  struct address remote;
  /** Where the application wanted to go before it was redirected; all 0 when that is not known. */
  struct address original;
  __u16 local_port;
  __u16 remote_port;
  __u16 original_port;
  __u16 family;
};
DESCRIBED(struct, connection_event);

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1024 * 1024);
} events SEC(".maps");

/** What is kept of a connection that is reported. A listener's is copied to the sockets that are accepted from it. */
struct connection {
  __u64 began_ns;
  __u64 cgroup;
  __u32 is_reported;
  __u32 unused;
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct connection);
} connections SEC(".maps");

/** The cookie is a number that the kernel counts up, so every n-th socket is one in n. */
static __always_inline bool is_sampled(struct bpf_sock_ops *ctx) {
  return sample_one_in <= 1 || bpf_get_socket_cookie(ctx) % sample_one_in == 0;
}

static __always_inline struct connection *connection_of(struct bpf_sock_ops *ctx, __u64 flags) {
  struct bpf_sock *sk = ctx->sk;
  if (!sk) return 0;
  struct connection *connection = bpf_sk_storage_get(&connections, sk, 0, flags);
  if (!connection && flags != 0) count_one(CONNECTIONS_NO_MEMORY);
  return connection;
}

/** Begins to follow a connection; null when it is not to be reported. */
static __always_inline struct connection *begin(struct bpf_sock_ops *ctx) {
  if (!is_sampled(ctx)) {
    count_one(CONNECTIONS_SKIPPED);
    return 0;
  }
  struct connection *connection = connection_of(ctx, BPF_SK_STORAGE_GET_F_CREATE);
  if (!connection) return 0;
  connection->began_ns = bpf_ktime_get_ns();
  connection->is_reported = 1;
  listen_to(ctx, BPF_SOCK_OPS_STATE_CB_FLAG);
  return connection;
}

/** Only the application's own socket knows: outbound.bpf.c keeps it there, when the loader has both share the map. */
static __always_inline void add_original(struct connection_event *event, struct bpf_sock_ops *ctx) {
  struct bpf_sock *sk = ctx->sk;
  struct original *original = sk ? bpf_sk_storage_get(&sk_orig, sk, 0, 0) : 0;
  if (original) {
    event->original = original->destination.address;
    event->original_port = bpf_ntohs(original->destination.port);
  } else {
    event->original = (struct address){};
    event->original_port = 0;
  }
}

static __always_inline void add_ends(struct connection_event *event, struct bpf_sock_ops *ctx) {
  struct ends ends = ends_of(ctx);
  event->local = ends.local;
  event->remote = ends.remote;
  event->local_port = ends.local_port;
  event->remote_port = ends.remote_port;
  event->family = READ_CONTEXT(ctx, family);
}

static __always_inline void report(struct bpf_sock_ops *ctx, const struct connection *connection, __u32 kind) {
  struct connection_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    count_one(EVENTS_LOST);
    return;
  }
  event->time_ns = bpf_ktime_get_ns();
  event->duration_ns = event->time_ns - connection->began_ns;
  event->cookie = bpf_get_socket_cookie(ctx);
  event->cgroup = connection->cgroup;
  event->netns = bpf_get_netns_cookie(ctx);
  event->bytes_received = ctx->bytes_received;
  event->bytes_acked = ctx->bytes_acked;
  // The kernel keeps eighths.
  event->srtt_us = READ_CONTEXT(ctx, srtt_us) >> 3;
  event->min_rtt_us = READ_CONTEXT(ctx, rtt_min);
  event->retransmits = READ_CONTEXT(ctx, total_retrans);
  event->kind = kind;
  event->last_state = READ_CONTEXT(ctx, state);
  add_ends(event, ctx);
  add_original(event, ctx);
  bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
  count_one(EVENTS_WRITTEN);
}

/** In the process that connects: later callbacks run wherever packets happen to be handled. */
static __always_inline void on_connect(struct bpf_sock_ops *ctx) {
  struct connection *connection = begin(ctx);
  if (connection) connection->cgroup = bpf_get_current_cgroup_id();
}

static __always_inline void on_listen(struct bpf_sock_ops *ctx) {
  struct connection *connection = connection_of(ctx, BPF_SK_STORAGE_GET_F_CREATE);
  if (connection) connection->cgroup = bpf_get_current_cgroup_id();
}

static __always_inline void on_active(struct bpf_sock_ops *ctx) {
  struct connection *connection = connection_of(ctx, 0);
  if (connection && connection->is_reported) report(ctx, connection, OPENED_ACTIVE);
}

static __always_inline void on_passive(struct bpf_sock_ops *ctx) {
  struct connection *connection = begin(ctx);
  if (connection) report(ctx, connection, OPENED_PASSIVE);
}

static __always_inline void on_state(struct bpf_sock_ops *ctx) {
  if (READ_CONTEXT(ctx, args[1]) != BPF_TCP_CLOSE) return;
  struct connection *connection = connection_of(ctx, 0);
  if (!connection || !connection->is_reported) return;
  connection->is_reported = 0;
  report(ctx, connection, READ_CONTEXT(ctx, args[0]) == BPF_TCP_SYN_SENT ? CONNECT_FAILED : CLOSED);
}

// Returns 1 for every callback: 0 would turn what another program replied into a failure.
SEC("sockops") int or_ev_sockops(struct bpf_sock_ops *ctx) {
  switch (READ_CONTEXT(ctx, op)) {
  case BPF_SOCK_OPS_TCP_CONNECT_CB:
    on_connect(ctx);
    break;
  case BPF_SOCK_OPS_TCP_LISTEN_CB:
    on_listen(ctx);
    break;
  case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
    on_active(ctx);
    break;
  case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
    on_passive(ctx);
    break;
  case BPF_SOCK_OPS_STATE_CB:
    on_state(ctx);
    break;
  }
  return 1;
}
