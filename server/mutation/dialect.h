/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of this layer in the dialect of a store. All that is dialect is here. */
#ifndef COMB_MUTATION_DIALECT_H
#define COMB_MUTATION_DIALECT_H

#include "server/backend/sql/sql.h"

struct comb_mutation_dialect {
    const char *driver; /* comb_sql_info.driver */
    /* ?1: packed ids (node and parent of each link; users), ?2: a JSON array of revisions. A row
     * where all of them are still so. */
    const char *chain_guard, *roles_guard;
    const char *feed_insert;
    /* Returns the position of the newest entry, which is the plan's own where it has any. */
    const char *request_insert;
    const char *request_look_up; /* ?1 principal, ?2 method, ?3 id: hash, outcome, position */
    const char *feed_poll;       /* ?1 after, ?2 at most */
    const char *feed_head;       /* the newest position, also of entries that have been trimmed */
    const char *feed_floor;      /* up to which position entries have been trimmed */
    /* ?1: how old, microseconds since 1970. One batch each; feed_delete deletes up to the floor. */
    const char *floor_raise, *feed_delete, *request_delete;
};

/* Of the driver behind sql; an unknown one is a bug. */
const struct comb_mutation_dialect *comb_mutation_dialect_of(struct comb_sql *sql);

#endif
