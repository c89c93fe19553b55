/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite: one writer, so entries become visible in the order of their numbers, and that order is
 * the one of all changes. */
#include "server/mutation/dialect.h"

static const struct comb_sql_migration steps[] = {
    {"mutation", 1,
     "CREATE TABLE feed ("
     " seq INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, kind INTEGER NOT NULL,"
     " subject BLOB NOT NULL, rev INTEGER NOT NULL, actor BLOB NOT NULL, old_parent BLOB NOT NULL,"
     " old_name TEXT NOT NULL, ancestors BLOB NOT NULL, old_ancestors BLOB NOT NULL,"
     " bytes_delta INTEGER NOT NULL, payload BLOB NOT NULL);"
     /* Up to which entry the feed has been trimmed. */
     "CREATE TABLE feed_floor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);"
     "INSERT INTO feed_floor VALUES (1, 0);"
     "CREATE TABLE request ("
     " principal BLOB NOT NULL, method TEXT NOT NULL, id BLOB NOT NULL, hash BLOB NOT NULL,"
     " outcome BLOB NOT NULL, time_us INTEGER NOT NULL, seq INTEGER NOT NULL,"
     " PRIMARY KEY (principal, method, id)) WITHOUT ROWID;"
     "CREATE INDEX request_time ON request (time_us)"},
    /* What the audit trail is made of (server/audit): written here, moved on from there. */
    {"mutation", 2,
     "CREATE TABLE audit_intake (id BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID"},
};

/* The counter of AUTOINCREMENT stays where all entries have been trimmed. */
#define NEWEST "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)"
#define FEED_READ "SELECT " COMB_FEED_COLUMNS " FROM feed WHERE seq > ?1 ORDER BY seq LIMIT ?2"

static uint64_t complete_up_to(uint64_t sequence)
{
    return sequence;
}

static const struct comb_mutation_dialect dialect = {
    /* SQLite 3.40 has no unhex(): json_each gives a row for each revision, in whose `key` the
     * place of its ids is. A node that is gone fails as one that has moved does. */
    .chain_guard = "SELECT 1 WHERE NOT EXISTS ("
                   " SELECT 1 FROM json_each(?2) AS link"
                   " LEFT JOIN node ON node.id = substr(?1, link.key * 32 + 1, 16)"
                   " WHERE node.parent IS NOT substr(?1, link.key * 32 + 17, 16)"
                   " OR node.acl_rev IS NOT link.value)",
    .roles_guard = "SELECT 1 WHERE NOT EXISTS ("
                   " SELECT 1 FROM json_each(?2) AS seen"
                   " LEFT JOIN user ON user.id = substr(?1, seen.key * 16 + 1, 16)"
                   " WHERE user.roles_rev + (SELECT rights_rev FROM identity_state)"
                   " IS NOT seen.value)",
    .feed_insert = "INSERT INTO feed (time_us, kind, subject, rev, actor, old_parent, old_name,"
                   " ancestors, old_ancestors, bytes_delta, payload)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    .request_insert = "INSERT INTO request (principal, method, id, hash, outcome, time_us, seq)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, " NEWEST ") RETURNING seq",
    .audit_insert = "INSERT INTO audit_intake (id, record) VALUES (?1, ?2)",
    .request_look_up = "SELECT hash, outcome, seq FROM request"
                       " WHERE principal = ?1 AND method = ?2 AND id = ?3",
    .request_look_up_kind = COMB_SQL_READ,
    .position = "SELECT " NEWEST,
    .feed_read = FEED_READ,
    .feed_bounds = "SELECT " NEWEST ", (SELECT seq FROM feed_floor), " NEWEST,
    .feed_lag = COMB_FEED_LAG,
    .complete_up_to = complete_up_to,
    .poll_state = "SELECT " NEWEST ", (SELECT seq FROM feed_floor), " NEWEST ", '', '', 0",
    .poll = FEED_READ,
    /* The oldest thousand are looked at, and cut off are those in front of the first that is
     * young enough: clocks jump, positions do not, and what is left must have no hole. */
    .floor_raise = "UPDATE feed_floor SET seq = coalesce(("
                   " SELECT max(seq) FROM (SELECT seq FROM feed ORDER BY seq LIMIT 1000)"
                   " WHERE seq < coalesce(("
                   "  SELECT min(seq) FROM (SELECT seq, time_us FROM feed ORDER BY seq LIMIT 1000)"
                   "  WHERE time_us >= ?1), 9223372036854775807)), seq)",
    .feed_delete = "DELETE FROM feed WHERE seq <= (SELECT seq FROM feed_floor)",
    .request_delete = "DELETE FROM request WHERE (principal, method, id) IN ("
                      " SELECT principal, method, id FROM request WHERE time_us < ?1"
                      " LIMIT 1000)",
};

const struct comb_sql_schema comb_mutation_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
