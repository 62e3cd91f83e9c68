// What every program of ours includes first: the kernel's types, libbpf's names for helpers, and the licence.
//
// vmlinux.h is made of the running kernel's BTF at each build (build/bpf-programs.ts) and never kept. Only contexts are
// read (bpf_sock_addr, bpf_sock_ops …), whose layout is part of the kernel's ABI and grows at its end alone, so no access
// is relocated and the objects load on kernels that have no BTF of their own.

#pragma once

#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Macros are not in BTF. Values are the kernel's ABI on every architecture that Node runs on.
#define AF_INET 2
#define AF_INET6 10
#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80

/**
 * Reads a 32-bit field of a context. Where two branches read different fields of one context, clang merges them into one
 * load at a computed offset, which the verifier refuses ("dereference of modified ctx ptr"); `volatile` does not stop it.
 * It cannot look into assembly.
 */
#define READ_CONTEXT(context, field)                                                                                   \
  ({                                                                                                                   \
    __u32 value_;                                                                                                      \
    asm volatile("%0 = *(u32 *)(%1 + %2)"                                                                              \
                 : "=r"(value_)                                                                                        \
                 : "r"(context), "i"(__builtin_offsetof(typeof(*(context)), field)));                                  \
    value_;                                                                                                            \
  })

/**
 * Writes a field of a context by itself: clang joins neighbouring stores into one of 8 bytes, which the verifier refuses
 * ("invalid bpf_context access").
 */
#define WRITE_CONTEXT(context, field, value) (*(volatile typeof((context)->field) *)&(context)->field = (value))

/**
 * Makes a type appear in the object's BTF, from which bpf/generated/ is made, where no map has it as key or value: enums
 * and records. The section is of no kind that libbpf makes a map for.
 */
#define DESCRIBED(kind, name) kind name *described_##name SEC(".described")

// No helper for GPL programs alone is used, but a licence that says so lets more kernels load them.
char _license[] SEC("license") = "Dual BSD/GPL";
