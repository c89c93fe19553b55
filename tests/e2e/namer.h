/* SPDX-License-Identifier: Apache-2.0 */
/* Concurrent clients who make, move, remove and look at the same few names of a folder, by chance;
 * what they were told goes before the checker of names (tests/support/checkers/names.h). */
#ifndef TESTS_E2E_NAMER_H
#define TESTS_E2E_NAMER_H

#include "comb/client.h"
#include "tests/support/checkers/names.h"

#define NAMER_NAMES 3
#define NAMER_OPS 6

/* One client's part of a round. */
struct namer {
    struct comb_client *client;
    const char *folder; /* of the round: new, and empty */
    uint64_t random;    /* not 0 */
    struct names_op ops[NAMER_OPS];
    char ids[NAMER_OPS][40]; /* of the nodes that were answered, or "" */
};

/* Makes the operation number i. GRPCC_OK: its outcome is in namer->ops[i], also where there was
 * nothing, or something, under the name; else what no operation may answer. */
enum grpcc_status namer_call(struct namer *namer, unsigned i, struct grpcc_arena *arena,
                             struct grpcc_error *err);
/* All n of a round. Prints what is not linearizable to stderr. */
enum names_verdict namers_check(const struct namer *namers, unsigned n);

#endif
