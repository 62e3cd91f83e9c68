// What happened, by reason: an array that user space maps into its memory and reads without a system call. An object says
// COUNTERS(n) once, n being the last enumerator, which ends in _COUNT; the names of the others reach user space through
// bpf/generated/.

#pragma once

#include "kernel.h"

#define COUNTERS(count)                                                                                                \
  struct {                                                                                                             \
    __uint(type, BPF_MAP_TYPE_ARRAY);                                                                                  \
    __uint(max_entries, count);                                                                                        \
    __uint(map_flags, BPF_F_MMAPABLE);                                                                                 \
    __type(key, __u32);                                                                                                \
    __type(value, __u64);                                                                                              \
  } counters SEC(".maps");                                                                                             \
                                                                                                                       \
  static __always_inline __attribute__((unused)) void count_one(__u32 counter) {                                       \
    __u64 *value = bpf_map_lookup_elem(&counters, &counter);                                                           \
    if (value) __sync_fetch_and_add(value, 1);                                                                         \
  }
