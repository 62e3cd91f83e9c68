// The short-circuit: what one end of a connection within the pod writes is queued at the other end at once, and never
// passes through TCP. A round trip of a kilobyte costs a quarter less; streams are slower, and several things behave unlike TCP.
//
// What a sockhash does to a connection, and what answers it here:
// - Bytes that overtake others. A reader drains what was redirected before what came by TCP. So sockets enter at
//   ESTABLISHED, before either end could write, and a direction in which anything went by TCP stays with TCP for ever:
//   TCP → redirected never happens, and redirected → TCP keeps the order.
// - No backpressure. A redirected write always succeeds, whether the peer reads or not. So a burst, what was written
//   since the peer last wrote, has a limit; beyond it the direction goes by TCP, whose windows hold the writer up. A peer
//   that writes and never reads passes for one that answers: TCP's memory is watched for it (bpf/shortcut/memory-watch.ts).
// - A key that is deleted takes the bytes queued at its socket with it. So nothing here deletes from `socks`: the kernel
//   does when a socket is closed, and the proxy when it can prove that nothing is queued, nor ever will be
//   (proxy/reactor/shortcut-exit.ts). To unload, `control` turns all directions to TCP (bpf/shortcut/shortcut.ts).
// - A redirect that finds no peer returns SK_DROP, which would fail the application's write: it is ignored.
// - FIONREAD, splice(2), blocking recv(2) do not behave: the self-test finds out (bpf/shortcut/self-test.ts).
// - One socket has one verdict program: who has another sockmap's already is refused by the kernel, and stays with TCP.

#include "counters.h"
#include "sock-ops.h"

/** How many bytes a burst may have. */
const volatile __u32 burst_limit = 64 * 1024;

/** Each message takes a struct sk_msg of the kernel besides its bytes: many small ones are no small burst. */
#define MESSAGE_OVERHEAD 1024

/** Bytes and messages of a connection are added to the counters in such portions, and at its end. */
#define PORTION_MESSAGES 64
#define PORTION_BYTES (64 * 1024)

enum shortcut_counter {
  /** Ends of connections that were taken, and those of them that are closed. */
  ENDS_TAKEN,
  ENDS_CLOSED,
  /** Ends that another sockmap has, or for which `socks` has no room. */
  ENDS_REFUSED,
  ENDS_NO_MEMORY,
  REDIRECTED_MESSAGES,
  REDIRECTED_BYTES,
  /** Directions that stay with TCP: by the limit of a burst … */
  LEFT_BY_BURST,
  /** … since the peer is not here, or not yet … */
  LEFT_WITHOUT_PEER,
  /** … since bytes went by TCP before the first redirected one: in a SYN, or written before the connection stood … */
  LEFT_BY_EARLIER_BYTES,
  /** … since the short-circuit was turned off … */
  LEFT_BY_SWITCH,
  /** … since the other direction had left … */
  LEFT_WITH_OTHER,
  /** … and since the proxy took its socket out of `socks`, which then carries bulk as any other. */
  LEFT_BY_REMOVAL,
  SHORTCUT_COUNTER_COUNT,
};
DESCRIBED(enum, shortcut_counter);
COUNTERS(SHORTCUT_COUNTER_COUNT)

/** Which end opened the connection. */
enum side {
  ACTIVE,
  PASSIVE,
};

/** A socket's name. With its network namespace: 127.0.0.1 is another machine in each. */
struct name {
  __u64 netns;
  struct ends ends;
  __u32 unused;
};

/** One end, kept with its socket: gone with it, and never another's. */
struct end {
  struct name self;
  struct name peer;
  __u32 side;
  /** Everything that is written from now on goes by TCP. Never 0 again. */
  __u32 by_tcp;
  /** All bytes that were redirected. */
  __u64 redirected;
  /** Bytes redirected since the peer last wrote, and how many writes of the peer's were known then. */
  __u32 burst;
  __u32 peer_writes;
  /** Not counted yet. */
  __u32 messages;
  __u32 bytes;
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct end);
} ends_sc SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SOCKHASH);
  __uint(max_entries, 65536);
  __type(key, struct name);
  __type(value, __u64);
} socks SEC(".maps");

struct flow {
  /** How often each side wrote. */
  __u32 writes[2];
  /**
   * How many bytes each side had redirected when its direction became TCP's, and 1 more: 0 until then, and told in one
   * word. Whoever has read that many past TCP has nothing of this direction in the queue, nor ever will.
   */
  __u64 left_after[2];
};

/**
 * By the active end's name. An entry that is lost, evicted or overwritten costs speed alone: without it no burst ends, and
 * both directions go by TCP before long. What must not be lost is kept with the sockets. All entries are made with the map,
 * which takes 1.5 ms and 4 MB for four times as many, and few pods have so many connections of their own in use at a time.
 */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct name);
  __type(value, struct flow);
} flows SEC(".maps");

/** Ports of the passive end whose connections are short-circuited. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u16);
  __type(value, __u8);
} ports_sc SEC(".maps");

enum control {
  TURNED_OFF,
  CONTROL_COUNT,
};
DESCRIBED(enum, control);

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, CONTROL_COUNT);
  __type(key, __u32);
  __type(value, __u32);
} control SEC(".maps");

static __always_inline void count(__u32 counter, __u64 amount) {
  __u64 *value = bpf_map_lookup_elem(&counters, &counter);
  if (value) __sync_fetch_and_add(value, amount);
}

static __always_inline bool is_turned_off(void) {
  __u32 key = TURNED_OFF;
  __u32 *value = bpf_map_lookup_elem(&control, &key);
  return value && *value;
}

static __always_inline void count_portion(struct end *end) {
  count(REDIRECTED_MESSAGES, end->messages);
  count(REDIRECTED_BYTES, end->bytes);
  end->messages = 0;
  end->bytes = 0;
}

static __always_inline bool is_loopback(const struct address *address) {
  if (is_mapped(address)) return (address->ip[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
  return address->ip[0] == 0 && address->ip[1] == 0 && address->ip[2] == 0 && address->ip[3] == bpf_htonl(1);
}

/** Both ends are sockets of this network namespace. One that is connected to itself has only one end. */
static __always_inline bool is_local(const struct ends *ends) {
  if (is_same_address(&ends->local, &ends->remote)) return ends->local_port != ends->remote_port;
  return is_loopback(&ends->local) && is_loopback(&ends->remote);
}

/**
 * Two pointers to choose from: clang makes one pointer and an offset that varies, which the verifier refuses to a process
 * without CAP_PERFMON ("tried to add from different maps, paths or scalars").
 */
static __always_inline const struct name *flow_name(const struct end *end) {
  const struct name *self = &end->self;
  const struct name *peer = &end->peer;
  asm volatile("" : "+r"(self), "+r"(peer));
  return end->side == ACTIVE ? self : peer;
}

static __always_inline void leave_to_tcp(struct end *end, __u32 reason) {
  end->by_tcp = 1;
  count_one(reason);
  struct flow *flow = bpf_map_lookup_elem(&flows, flow_name(end));
  if (flow) flow->left_after[end->side & 1] = end->redirected + 1;
}

static __always_inline void name_ends(struct end *end, struct bpf_sock_ops *ctx, const struct ends *ends) {
  __u64 netns = bpf_get_netns_cookie(ctx);
  end->self = (struct name){.netns = netns, .ends = *ends};
  end->peer = (struct name){
      .netns = netns,
      .ends = {.local = ends->remote,
               .remote = ends->local,
               .local_port = ends->remote_port,
               .remote_port = ends->local_port},
  };
}

static __always_inline void take(struct bpf_sock_ops *ctx, enum side side) {
  if (is_turned_off()) return;
  struct ends ends = ends_of(ctx);
  if (!is_local(&ends)) return;
  __u16 port = side == ACTIVE ? ends.remote_port : ends.local_port;
  if (!bpf_map_lookup_elem(&ports_sc, &port)) return;
  struct bpf_sock *sk = ctx->sk;
  if (!sk) return;
  struct end *end = bpf_sk_storage_get(&ends_sc, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!end) {
    count_one(ENDS_NO_MEMORY);
    return;
  }
  name_ends(end, ctx, &ends);
  end->side = side;
  struct flow none = {};
  bpf_map_update_elem(&flows, flow_name(end), &none, side == ACTIVE ? BPF_ANY : BPF_NOEXIST);
  // TCP Fast Open: the SYN carried bytes.
  if (READ_CONTEXT(ctx, data_segs_out) != 0) leave_to_tcp(end, LEFT_BY_EARLIER_BYTES);
  // Before the socket is taken: from then on nothing that is written may be missed.
  listen_to(ctx, BPF_SOCK_OPS_STATE_CB_FLAG | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
  if (bpf_sock_hash_update(ctx, &socks, &end->self, BPF_NOEXIST) != 0) {
    bpf_sk_storage_delete(&ends_sc, sk);
    count_one(ENDS_REFUSED);
    return;
  }
  count_one(ENDS_TAKEN);
}

static __always_inline struct end *end_of(struct bpf_sock_ops *ctx) {
  struct bpf_sock *sk = ctx->sk;
  return sk ? bpf_sk_storage_get(&ends_sc, sk, 0, 0) : 0;
}

/**
 * TCP asks how large its segments may be each time when it takes bytes to send, and tells so under the socket's lock
 * before it takes them. That finds bytes that or_sc_msg never saw: of a thread that waited in send(2), or in a
 * sendto(2) with MSG_FASTOPEN, until the connection stood, when the socket was taken.
 */
static __always_inline void note_bytes_by_tcp(struct bpf_sock_ops *ctx) {
  if (READ_CONTEXT(ctx, args[0]) != BPF_WRITE_HDR_TCP_CURRENT_MSS) return;
  // It asks for the FIN too, after which nothing is written.
  __u32 state = READ_CONTEXT(ctx, state);
  if (state == BPF_TCP_FIN_WAIT1 || state == BPF_TCP_LAST_ACK) return;
  struct end *end = end_of(ctx);
  if (!end) return;
  // Bytes after redirected ones, which or_sc_msg let go by no TCP: the socket is no member any more.
  if (!end->by_tcp) leave_to_tcp(end, end->redirected > 0 ? LEFT_BY_REMOVAL : LEFT_BY_EARLIER_BYTES);
}

/** The socket leaves `socks` by itself, when nothing can be read from it any more. */
static __always_inline void note_state(struct bpf_sock_ops *ctx) {
  if (READ_CONTEXT(ctx, args[1]) != BPF_TCP_CLOSE) return;
  struct end *end = end_of(ctx);
  if (!end) return;
  count_portion(end);
  bpf_map_delete_elem(&flows, flow_name(end));
  count_one(ENDS_CLOSED);
}

// Returns 1 for every callback: 0 would turn what another program replied into a failure.
SEC("sockops") int or_sc_sockops(struct bpf_sock_ops *ctx) {
  switch (READ_CONTEXT(ctx, op)) {
  case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
    take(ctx, ACTIVE);
    break;
  case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
    take(ctx, PASSIVE);
    break;
  case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
    note_bytes_by_tcp(ctx);
    break;
  case BPF_SOCK_OPS_STATE_CB:
    note_state(ctx);
    break;
  }
  return 1;
}

/** Notes a write, and ends the burst when the peer wrote meanwhile. Returns whether the peer's direction is TCP's. */
static __always_inline bool note_write(struct end *end) {
  struct flow *flow = bpf_map_lookup_elem(&flows, flow_name(end));
  if (!flow) return false;
  __u32 side = end->side & 1;
  // Each word has one writer, under its socket's lock. A count that is seen late ends a burst late.
  __u32 peer_writes = flow->writes[side ^ 1];
  if (peer_writes != end->peer_writes) {
    end->peer_writes = peer_writes;
    end->burst = 0;
  }
  flow->writes[side]++;
  return flow->left_after[side ^ 1] != 0;
}

/** Runs in the writer's system call, with its socket locked. Always SK_PASS: without a redirect TCP takes the bytes. */
SEC("sk_msg") int or_sc_msg(struct sk_msg_md *msg) {
  struct bpf_sock *sk = msg->sk;
  if (!sk) return SK_PASS;
  struct end *end = bpf_sk_storage_get(&ends_sc, sk, 0, 0);
  if (!end) return SK_PASS;
  // Also of a direction that is TCP's: it ends the other's bursts.
  bool has_other_left = note_write(end);
  if (end->by_tcp) return SK_PASS;
  // A socket that carries bulk can be taken out of `socks` only when both directions are TCP's.
  if (has_other_left) {
    leave_to_tcp(end, LEFT_WITH_OTHER);
    return SK_PASS;
  }
  if (is_turned_off()) {
    leave_to_tcp(end, LEFT_BY_SWITCH);
    return SK_PASS;
  }
  __u32 bytes = msg->size;
  __u64 burst = (__u64)end->burst + bytes + MESSAGE_OVERHEAD;
  if (burst > burst_limit) {
    leave_to_tcp(end, LEFT_BY_BURST);
    return SK_PASS;
  }
  if (bpf_msg_redirect_hash(msg, &socks, &end->peer, BPF_F_INGRESS) != SK_PASS) {
    leave_to_tcp(end, LEFT_WITHOUT_PEER);
    return SK_PASS;
  }
  end->burst = burst;
  end->redirected += bytes;
  end->bytes += bytes;
  end->messages++;
  if (end->messages >= PORTION_MESSAGES || end->bytes >= PORTION_BYTES) count_portion(end);
  return SK_PASS;
}
