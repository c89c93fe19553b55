/* SPDX-License-Identifier: Apache-2.0 */
/* How much each method, peer and key has taken: a bounded table in parts, each with a lock. */
#ifndef GRPCC_SRC_LIMIT_KEYS_H
#define GRPCC_SRC_LIMIT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"

struct grpcc_limit_keys;
struct grpcc_limit_entry;

/* Equal texts of different kinds are different. */
enum grpcc_limit_kind {
    GRPCC_LIMIT_METHOD = 0,
    GRPCC_LIMIT_PEER = 1,
    GRPCC_LIMIT_KEY = 2,
    GRPCC_LIMIT_KINDS = 3
};
enum grpcc_limit_verdict { GRPCC_LIMIT_ADMITTED, GRPCC_LIMIT_CROWDED, GRPCC_LIMIT_TOO_FAST };

struct grpcc_limit_request {
    enum grpcc_limit_kind kind;
    const char *text; /* not longer than GRPCC_LIMIT_KEY_MAX counts */
    size_t length;
    unsigned at_once; /* 0: any number */
    bool rated;       /* takes a token too */
};

/* NULL without memory. rate in tokens a second; burst: the most that a rest saves up. */
struct grpcc_limit_keys *grpcc_limit_keys_new(unsigned keys_max, double rate,
                                              double burst) GRPCC_MUST_CHECK;
void grpcc_limit_keys_free(struct grpcc_limit_keys *keys);
/* Admitted: *ret_entry is to be left. Too fast: *ret_wait_ns until there is a token. now_ns is of
 * CLOCK_MONOTONIC. Any thread. */
enum grpcc_limit_verdict grpcc_limit_enter(struct grpcc_limit_keys *keys,
                                           const struct grpcc_limit_request *request,
                                           int64_t now_ns, struct grpcc_limit_entry **ret_entry,
                                           int64_t *ret_wait_ns) GRPCC_MUST_CHECK;
void grpcc_limit_leave(struct grpcc_limit_keys *keys, struct grpcc_limit_entry *entry);
void grpcc_limit_keys_count(struct grpcc_limit_keys *keys, uint32_t *ret_kept,
                            uint64_t *ret_shared);

#endif
