/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL: transactions become visible in another order than they began in, so a position is
 * the number of a snapshot, and the number of an entry tells its transaction: xid * 64, and which
 * entry of the transaction it is. Ordered readers stay below all transactions that are open
 * (CONSISTENCY 3.2); an xid is on disk once its transaction is committed, so no crash takes numbers
 * of entries back.
 */
#include "server/backend/sql/snapshot.h"
#include "server/mutation/dialect.h"
#include "server/mutation/mutation.h"

/* Bits for the entries of one transaction. */
#define ENTRY_BITS 6
_Static_assert(COMB_PLAN_FEED_MAX <= 1 << ENTRY_BITS, "a plan's entries have numbers of their own");

static const struct comb_sql_migration steps[] = {
    {"mutation", 1,
     "CREATE TABLE feed ("
     " seq bigint PRIMARY KEY, time_us bigint NOT NULL, kind bigint NOT NULL,"
     " subject bytea NOT NULL, rev bigint NOT NULL, actor bytea NOT NULL,"
     " old_parent bytea NOT NULL, old_name text COLLATE \"C\" NOT NULL, ancestors bytea NOT NULL,"
     " old_ancestors bytea NOT NULL, bytes_delta bigint NOT NULL, payload bytea NOT NULL);"
     "CREATE TABLE feed_floor (one integer PRIMARY KEY CHECK (one = 1), seq bigint NOT NULL);"
     "INSERT INTO feed_floor VALUES (1, 0);"
     "CREATE TABLE heartbeat (one integer PRIMARY KEY CHECK (one = 1), beat bigint NOT NULL,"
     " at timestamptz NOT NULL) WITH (fillfactor = 10);"
     "INSERT INTO heartbeat VALUES (1, 0, 'epoch');"
     "CREATE TABLE request ("
     " principal bytea NOT NULL, method text COLLATE \"C\" NOT NULL, id bytea NOT NULL,"
     " hash bytea NOT NULL, outcome bytea NOT NULL, time_us bigint NOT NULL,"
     " PRIMARY KEY (principal, method, id)) WITH (fillfactor = 90);"
     "CREATE INDEX request_time ON request (time_us)"},
    /* What the audit trail is made of (server/audit): written here, moved on from there. */
    {"mutation", 2, "CREATE TABLE audit_intake (id bytea PRIMARY KEY, record bytea NOT NULL)"},
};

/* The first number that a transaction may get that is open now, or has not begun. */
#define HORIZON "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 6)"
#define FLOOR "(SELECT seq FROM feed_floor)"

static uint64_t complete_up_to(uint64_t sequence)
{
    /* All of the transactions before this one: what a snapshot can see whose xmax is this one. */
    return (sequence >> ENTRY_BITS) << 16 | 0xffff;
}

static const struct comb_mutation_dialect dialect = {
    /* A node that is gone fails as one that has moved does. OFFSET 0: by key, whatever the planner
     * thinks of the sizes. */
    .chain_guard = "SELECT 1 WHERE NOT EXISTS ("
                   " SELECT 1 FROM json_array_elements_text(?2::json) WITH ORDINALITY AS l(rev, i)"
                   " LEFT JOIN LATERAL (SELECT parent, acl_rev FROM node"
                   "  WHERE id = substr(?1, (l.i::int - 1) * 32 + 1, 16) OFFSET 0) n ON true"
                   " WHERE n.parent IS DISTINCT FROM substr(?1, (l.i::int - 1) * 32 + 17, 16)"
                   " OR n.acl_rev IS DISTINCT FROM l.rev::bigint)",
    .roles_guard = "SELECT 1 WHERE NOT EXISTS ("
                   " SELECT 1 FROM json_array_elements_text(?2::json) WITH ORDINALITY AS s(rev, i)"
                   " LEFT JOIN LATERAL (SELECT roles_rev FROM \"user\""
                   "  WHERE id = substr(?1, (s.i::int - 1) * 16 + 1, 16) OFFSET 0) u ON true"
                   " WHERE u.roles_rev + (SELECT rights_rev FROM identity_state)"
                   " IS DISTINCT FROM s.rev::bigint)",
    .feed_insert = "INSERT INTO feed (seq, time_us, kind, subject, rev, actor, old_parent,"
                   " old_name, ancestors, old_ancestors, bytes_delta, payload)"
                   " VALUES (pg_current_xact_id()::text::bigint << 6 | ?12,"
                   " ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    .numbers_entries = true,
    .request_insert = "INSERT INTO request (principal, method, id, hash, outcome, time_us)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    .audit_insert = "INSERT INTO audit_intake (id, record) VALUES (?1, ?2)",
    .request_look_up = "UPDATE request SET hash = hash"
                       " WHERE principal = ?1 AND method = ?2 AND id = ?3"
                       " RETURNING hash, outcome, 0::bigint",
    .request_look_up_kind = COMB_SQL_WRITE,
    .position = "SELECT " COMB_SQL_POSTGRES_SNAPSHOT,
    .feed_read = "SELECT " COMB_FEED_COLUMNS " FROM feed WHERE seq > ?1 AND seq < " HORIZON
                 " ORDER BY seq LIMIT ?2",
    .feed_bounds = "SELECT coalesce((SELECT seq FROM feed WHERE seq < " HORIZON
                   "  ORDER BY seq DESC LIMIT 1), " FLOOR "), " FLOOR ","
                   " pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 16 | 65535",
    /* In a function's body, since it is refused as the first statement of a pipeline. */
    .feed_lock = "DO 'BEGIN LOCK TABLE feed IN SHARE ROW EXCLUSIVE MODE; END'",
    .feed_is_even = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM feed WHERE seq >= " HORIZON ")",
    .feed_lag = COMB_FEED_LAG,
    .complete_up_to = complete_up_to,
    .poll_state = "SELECT " COMB_SQL_POSTGRES_SNAPSHOT ", " FLOOR ", " HORIZON " - 1,"
                  " pg_current_snapshot()::text, current_setting('comb.session'),"
                  " (SELECT beat FROM heartbeat)",
    .poll = "SELECT " COMB_FEED_COLUMNS " FROM feed"
            " WHERE seq >= pg_snapshot_xmin(?1::text::pg_snapshot)::text::bigint << 6"
            " AND NOT pg_visible_in_snapshot((seq >> 6)::text::xid8, ?1::text::pg_snapshot)"
            " ORDER BY seq LIMIT ?2",
    .polls_by_snapshot = true,
    /* The first replica to come writes; the others find that it has, and write nothing. */
    .heartbeat = "UPDATE heartbeat SET beat = beat + 1, at = clock_timestamp()"
                 " WHERE at NOT BETWEEN clock_timestamp() - interval '70 milliseconds'"
                 " AND clock_timestamp()",
    /* As on SQLite; and never above what ordered readers may have read. */
    .floor_raise =
        "UPDATE feed_floor SET seq = coalesce(("
        " SELECT max(seq) FROM (SELECT seq FROM feed WHERE seq < " HORIZON
        "  ORDER BY seq LIMIT 1000) oldest"
        " WHERE seq < coalesce(("
        "  SELECT min(seq) FROM (SELECT seq, time_us FROM feed ORDER BY seq LIMIT 1000) young"
        "  WHERE time_us >= ?1), 9223372036854775807)), seq)",
    .feed_empty = "DELETE FROM feed",
    .floor_anew = "UPDATE feed_floor SET seq = " HORIZON " - 1",
    .feed_delete = "DELETE FROM feed WHERE seq <= " FLOOR,
    .request_delete = "DELETE FROM request WHERE (principal, method, id) IN ("
                      " SELECT principal, method, id FROM request WHERE time_us < ?1 LIMIT 1000)",
};

const struct comb_sql_schema comb_mutation_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
