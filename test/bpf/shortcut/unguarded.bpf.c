// What a short-circuit is without what shortcut.bpf.c does against it: whatever the first member writes is queued at the
// second. For tests that show what the kernel does then.

#include "kernel.h"

struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, __u64);
} members SEC(".maps");

SEC("sk_msg") int redirect(struct sk_msg_md *msg) {
  bpf_msg_redirect_map(msg, &members, 1, BPF_F_INGRESS);
  return SK_PASS;
}
