/* SPDX-License-Identifier: Apache-2.0 */
/* The statements that all dialects have, and parts of the others. */
#ifndef COMB_AUDIT_DRIVER_TEXTS_H
#define COMB_AUDIT_DRIVER_TEXTS_H

#define AUDIT_HIT                                                                                  \
    "SELECT n, time_us, number_us, record,"                                                        \
    " (SELECT o.code FROM audit o WHERE o.intent = audit.id ORDER BY o.n LIMIT 1) FROM audit"
#define AUDIT_KEY "(time_us, n) < (?1, ?2) AND time_us >= ?3"
#define AUDIT_ORDER " ORDER BY time_us DESC, n DESC LIMIT ?4"
#define AUDIT_COLUMNS "(n, number_us, id, record, before, hash, time_us, code, who, node, intent)"

#define AUDIT_STATEMENTS                                                                           \
    .put = "INSERT INTO audit_intake (id, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING",         \
    .pending = "SELECT id, record FROM audit_intake ORDER BY id LIMIT ?1",                         \
    .waiting = "SELECT count(*) FROM (SELECT 1 FROM audit_intake LIMIT ?1) AS first_ones",         \
    .end = "SELECT n, number_us, hash FROM audit_end",                                             \
    .move_end = "UPDATE audit_end SET n = ?3, number_us = ?4, hash = ?5"                           \
                " WHERE one = 1 AND n = ?1 AND hash = ?2",                                         \
    .seal_put = "INSERT INTO audit_seal (kind, n, time_us, key, hash, signature)"                  \
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (kind) DO UPDATE SET"                \
                " n = excluded.n, time_us = excluded.time_us, key = excluded.key,"                 \
                " hash = excluded.hash, signature = excluded.signature",                           \
    .seal = "SELECT n, time_us, key, hash, signature FROM audit_seal WHERE kind = ?1",             \
    .trim = "DELETE FROM audit WHERE n <= ?1",                                                     \
    .lines = "SELECT n, number_us, record, before, hash, time_us, who, node, intent, code"         \
             " FROM audit WHERE n > ?1 ORDER BY n LIMIT ?2",                                       \
    .follow = AUDIT_HIT " WHERE n > ?1 ORDER BY n LIMIT ?2",                                       \
    .search_all = AUDIT_HIT " WHERE " AUDIT_KEY AUDIT_ORDER,                                       \
    .search_user = AUDIT_HIT " WHERE who = ?5 AND " AUDIT_KEY AUDIT_ORDER,                         \
    .search_failed = AUDIT_HIT " WHERE code <> 0 AND " AUDIT_KEY AUDIT_ORDER,                      \
    .old = "SELECT n, number_us, hash FROM"                                                        \
           " (SELECT n, number_us, hash FROM audit ORDER BY n LIMIT ?2) AS oldest"                 \
           " WHERE number_us < ?1 ORDER BY n DESC LIMIT 1"

/* Behind the tables: what lines are found by. Nothing asks by audit_node any more, which has the
 * first node of a record alone: the index on the docs row has all of them. */
#define AUDIT_INDEXES                                                                              \
    "CREATE INDEX audit_time ON audit (time_us, n);"                                               \
    "CREATE INDEX audit_who ON audit (who, time_us, n) WHERE who IS NOT NULL;"                     \
    "CREATE INDEX audit_node ON audit (node, time_us, n) WHERE node IS NOT NULL;"                  \
    "CREATE INDEX audit_failed ON audit (time_us, n) WHERE code <> 0;"                             \
    "CREATE INDEX audit_outcome ON audit (intent) WHERE intent IS NOT NULL"

#endif
