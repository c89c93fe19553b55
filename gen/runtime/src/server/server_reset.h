/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the calls that each connection cancels, so that one that does nothing else is hung up on
 * (CVE-2023-44487: core 1.51 has no limit of its own). */
#ifndef GRPCC_SRC_SERVER_RESET_H
#define GRPCC_SRC_SERVER_RESET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { GRPCC_RESET_ENTRIES = 1024, GRPCC_RESETS_ALL = 4 };

struct grpcc_reset_entry {
    uint64_t peer; /* hash of its name; 0: free */
    int64_t window_ns;
    unsigned count;
    bool told; /* that it has had its share */
};

struct grpcc_resets {
    pthread_mutex_t lock;
    struct grpcc_reset_entry all; /* of all peers together */
    struct grpcc_reset_entry entries[GRPCC_RESET_ENTRIES];
};

void grpcc_resets_init(struct grpcc_resets *resets);
void grpcc_resets_done(struct grpcc_resets *resets);
/*
 * One more from peer. True: it has had its share of this second, which is max, or a tenth of that
 * in a second in which all peers together have had GRPCC_RESETS_ALL times max. Said once in a
 * second. Any thread.
 */
bool grpcc_resets_note(struct grpcc_resets *resets, const char *peer, unsigned max);

#endif
