/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters in a table of fixed size, for one process. A key has some places; where all are taken,
 * the least counter goes: who invents logins pushes out other inventions, not the login that is
 * being guessed. Threads: any.
 */
#ifndef COMB_AUTH_THROTTLE_TABLE_H
#define COMB_AUTH_THROTTLE_TABLE_H

#include "server/core/error.h"
#include "server/core/str.h"

struct comb_throttle_table;

struct comb_throttle_counter {
    uint32_t failures;
    int64_t last_us; /* wall clock, of the newest one */
};

enum comb_status comb_throttle_table_new(struct comb_throttle_table **ret_table,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_throttle_table_free(struct comb_throttle_table *table);

/* All zero where there is no counter, or a forgotten one. */
struct comb_throttle_counter comb_throttle_table_get(struct comb_throttle_table *table,
                                                     comb_str key);
void comb_throttle_table_add(struct comb_throttle_table *table, comb_str key);
void comb_throttle_table_clear(struct comb_throttle_table *table, comb_str key);

#endif
