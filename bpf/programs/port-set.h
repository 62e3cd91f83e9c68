// Sets of ports, one bit a port, so that a range costs what a single port costs and no list has a greatest length.

#pragma once

#include "kernel.h"

/** Port p is bit p % 8 of byte p / 8. */
struct port_set {
  __u8 bits[8192];
};

/** Keys of the maps of port sets. A port in both is excluded. */
enum port_rule {
  PORT_EXCLUDED,
  PORT_INCLUDED,
  PORT_RULE_COUNT,
};

#define PORT_SETS(name)                                                                                                \
  struct {                                                                                                             \
    __uint(type, BPF_MAP_TYPE_ARRAY);                                                                                  \
    __uint(max_entries, PORT_RULE_COUNT);                                                                                   \
    __type(key, __u32);                                                                                                \
    __type(value, struct port_set);                                                                                    \
  } name SEC(".maps")

static __always_inline bool has_port(void *sets, __u32 rule, __u16 port) {
  const struct port_set *set = bpf_map_lookup_elem(sets, &rule);
  return set && (set->bits[port >> 3] >> (port & 7)) & 1;
}
