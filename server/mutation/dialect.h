/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of this layer in the dialect of a store. All that is dialect is here. */
#ifndef COMB_MUTATION_DIALECT_H
#define COMB_MUTATION_DIALECT_H

#include "server/backend/sql/sql.h"

struct comb_mutation_dialect {
    /* ?1: packed ids (node and parent of each link; users), ?2: a JSON array of revisions. A row
     * where all of them are still so. */
    const char *chain_guard, *roles_guard;

    /* ?1 to ?11: the columns of an entry. numbers_entries: and ?12, which of its plan it is, from
     * 0. */
    const char *feed_insert;
    bool numbers_entries;
    /* Returns the position that covers the plan, where result.after does not tell it. */
    const char *request_insert;
    /* ?1 id, ?2 bytes of a record: into the intake of the audit trail. */
    const char *audit_insert;
    /* ?1 principal, ?2 method, ?3 id: hash, outcome, position (where result.after does not tell
     * it). On a store with a standby, a write: its answer comes when the standby has it, and so all
     * that was written before (CONSISTENCY 1.7). */
    const char *request_look_up;
    enum comb_sql_kind request_look_up_kind;

    /* A bigint: the position of a snapshot, comb_position.sequence. */
    const char *position;

    /* The ordered reader. ?1 after, ?2 at most. */
    const char *feed_read;
    /* Of what the ordered reader can read by now: the sequences of the newest entry (that of the
     * newest that was trimmed, where there is none) and of the newest that was trimmed; and up to
     * which position nothing can come any more that is not there by now. */
    const char *feed_bounds;
    /* ?1 after, ?2 at most: how many are behind it, and when the oldest was written or 0. */
    const char *feed_lag;
    /* Keeps others from adding entries to the end of the transaction; and a row where no entry is
     * there that the ordered reader cannot read yet. NULL: there is one writer. */
    const char *feed_lock, *feed_is_even;
    /* What entry number `sequence` being read says of positions, as feed_bounds does. */
    uint64_t (*complete_up_to)(uint64_t sequence);

    /* The poll. poll_state: position, newest sequence that was trimmed, up to which sequence all
     * entries are seen in this snapshot, the snapshot as text, the session of the store, and the
     * number of its heartbeats. poll:
     * ?1 what was seen, ?2 at most; polls_by_snapshot: ?1 is a snapshot, and what is more than ?2
     * is given up; else ?1 is a sequence, and the next poll goes on. */
    const char *poll_state, *poll;
    bool polls_by_snapshot;
    const char *heartbeat; /* a write; NULL: none is needed, the store cannot be left behind */

    /* ?1: how old, microseconds since 1970. One batch each; feed_delete deletes up to the floor. */
    const char *floor_raise, *feed_delete, *request_delete;

    /* For a store that was put back from a backup; NULL: its numbers go on where they were. */
    const char *feed_empty, *floor_anew;
};

/* Of the driver behind sql; an unknown one is a bug. */
const struct comb_mutation_dialect *comb_mutation_dialect_of(struct comb_sql *sql);

#define COMB_FEED_LAG                                                                              \
    "SELECT count(*), coalesce(min(time_us), 0) FROM"                                              \
    " (SELECT time_us FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2) AS behind"
#define COMB_FEED_COLUMNS                                                                          \
    "seq, time_us, kind, subject, rev, actor, old_parent, old_name, ancestors, old_ancestors,"     \
    " bytes_delta, payload"

extern const struct comb_sql_schema comb_mutation_schema_sqlite, comb_mutation_schema_postgres;

#endif
