// Makes events by the thousand when it is run by hand (BPF_PROG_TEST_RUN): the shipped record, once into the shipped ring and
// once into a perf buffer. Each record carries its number, so that a reader can tell what it lost.

#include "../../bpf/programs/events.bpf.c"

/** As many records as one run makes. */
#define RECORDS_A_RUN 64

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(int));
  __uint(value_size, sizeof(int));
} copied SEC(".maps");

/** One run after another: the bench never runs two at a time. */
__u64 made = 0;
__u64 refused = 0;

static __always_inline void fill(struct connection_event *event) {
  event->time_ns = made;
  event->duration_ns = 1000;
  event->cookie = made;
  event->cgroup = 1;
  event->netns = 1;
  event->bytes_received = 100;
  event->bytes_acked = 200;
  event->srtt_us = 30;
  event->min_rtt_us = 20;
  event->retransmits = 0;
  event->kind = CLOSED;
  event->last_state = BPF_TCP_ESTABLISHED;
  event->local = (struct address){};
  event->remote = (struct address){};
  event->original = (struct address){};
  event->local_port = 1;
  event->remote_port = 2;
  event->original_port = 3;
  event->family = AF_INET;
}

SEC("tc") int bench_ring(void) {
  for (int index = 0; index < RECORDS_A_RUN; index++) {
    struct connection_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    made++;
    if (!event) {
      refused++;
      count_one(EVENTS_LOST);
      continue;
    }
    fill(event);
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
    count_one(EVENTS_WRITTEN);
  }
  return 0;
}

SEC("tc") int bench_copied(struct __sk_buff *ctx) {
  struct connection_event event = {};
  for (int index = 0; index < RECORDS_A_RUN; index++) {
    made++;
    fill(&event);
    if (bpf_perf_event_output(ctx, &copied, BPF_F_CURRENT_CPU, &event, sizeof(event)) < 0) refused++;
  }
  return 0;
}
