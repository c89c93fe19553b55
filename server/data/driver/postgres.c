/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of contents for PostgreSQL, and their schema. */
#include "server/data/driver/dialect.h"

#define REFERENCED "EXISTS (SELECT 1 FROM node n WHERE n.blob = b.id)"
/* A blob whose condemnation must change: none, or one of before a restore, though nothing
 * references it; or one though something does. */
#define MUST_CONDEMN(incarnation)                                                                  \
    "(b.condemn_us IS NULL OR b.incarnation <> " incarnation ") AND NOT " REFERENCED
#define MUST_LIFT "b.condemn_us IS NOT NULL AND " REFERENCED

static const struct comb_data_dialect dialect = {
    .session_insert = "INSERT INTO blob_session (id, create_us, expire_us) VALUES (?2, ?1, ?3)",
    .session_end_all = "UPDATE blob_session SET dead_us = ?1 WHERE id <> ?2 AND dead_us IS NULL",
    .session_renew = "UPDATE blob_session SET expire_us = ?1 WHERE id = ?2 AND dead_us IS NULL",
    /* The lock keeps it alive until what rests on it is committed: whoever declares it dead has to
     * wait for that, and then sees which objects have been named. */
    .session_alive = "SELECT 1 FROM blob_session WHERE id = ?1 AND dead_us IS NULL FOR SHARE",
    .session_expired =
        "SELECT 1 FROM blob_session WHERE dead_us IS NULL AND expire_us < ?1 LIMIT 1",
    .session_expire = "UPDATE blob_session SET dead_us = ?1 WHERE dead_us IS NULL"
                      " AND expire_us < ?1",
    .session_next = "SELECT id FROM blob_session WHERE dead_us IS NOT NULL AND (swept_us IS NULL"
                    " OR (swept_us < dead_us + ?2 AND ?1 >= dead_us + ?2)) LIMIT 1",
    .session_swept = "UPDATE blob_session SET swept_us = ?1 WHERE id = ?2",
    .session_forget = "DELETE FROM blob_session WHERE id = ?2 AND dead_us IS NOT NULL"
                      " AND ?1 >= dead_us + ?3",

    .blob_get = "SELECT session, size, sha256 FROM blob WHERE id = ?1 AND doomed = 0",
    .blob_insert = "INSERT INTO blob (id, session, size, sha256, create_us)"
                   " VALUES (?2, ?3, ?4, ?5, ?1)",
    .blob_window = "WITH looked_at AS MATERIALIZED (SELECT * FROM blob WHERE id > ?1 ORDER BY id"
                   " LIMIT ?2) SELECT (SELECT id FROM looked_at ORDER BY id DESC LIMIT 1),"
                   " (SELECT count(*) FROM looked_at), (SELECT count(*) FROM looked_at b"
                   " WHERE b.doomed = 0 AND ((" MUST_CONDEMN("?3") ") OR (" MUST_LIFT ")))",
    .blob_condemn = "UPDATE blob AS b SET condemn_us = ?1, incarnation = ?4 WHERE b.id > ?2"
                    " AND b.id <= ?3 AND b.doomed = 0 AND " MUST_CONDEMN("?4"),
    .blob_lift = "UPDATE blob AS b SET condemn_us = NULL, incarnation = NULL WHERE b.id > ?1"
                 " AND b.id <= ?2 AND b.doomed = 0 AND " MUST_LIFT,
    .blob_ripe = "SELECT 1 FROM blob WHERE condemn_us <= ?1 AND doomed = 0 AND incarnation = ?2"
                 " LIMIT 1",
    .blob_doom = "UPDATE blob AS b SET doomed = 1 WHERE b.id = ANY (ARRAY(SELECT id FROM blob"
                 " WHERE condemn_us <= ?1 AND doomed = 0 AND incarnation = ?2 LIMIT ?3))"
                 " AND NOT " REFERENCED,
    .blob_doomed = "SELECT id, session, size, sha256 FROM blob WHERE condemn_us IS NOT NULL"
                   " AND doomed = 1 LIMIT 1",
    .blob_delete = "DELETE FROM blob WHERE id = ?1 AND doomed = 1"
                   " AND NOT EXISTS (SELECT 1 FROM blob_part WHERE blob = ?1)",

    .part_list = "SELECT \"offset\", size, sha256, session, object FROM blob_part WHERE blob = ?1"
                 " AND \"offset\" >= coalesce((SELECT max(\"offset\") FROM blob_part"
                 " WHERE blob = ?1 AND \"offset\" <= ?2), 0) AND \"offset\" + size > ?2"
                 " ORDER BY \"offset\" LIMIT ?3",
    /* Two that overlap cannot come at once: each has the upload's row, from the statement before.
     */
    .part_insert = "INSERT INTO blob_part (blob, \"offset\", size, sha256, session, object)"
                   " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM blob_part"
                   " WHERE blob = ?1 AND \"offset\" >= ?2 AND \"offset\" < ?2 + ?3)"
                   " AND coalesce((SELECT \"offset\" + size FROM blob_part WHERE blob = ?1"
                   " AND \"offset\" < ?2 ORDER BY \"offset\" DESC LIMIT 1), 0) <= ?2",
    .part_delete = "DELETE FROM blob_part WHERE blob = ?1 AND \"offset\" >= ?2"
                   " AND \"offset\" <= ?3",
    .object_named = "SELECT 1 FROM blob WHERE id = ?1 AND session IS NOT NULL UNION ALL"
                    " SELECT 1 FROM blob_part WHERE object = ?1 LIMIT 1",

    .upload_get = "SELECT owner, target, size, sha256, expire_us, parts, received, hashed,"
                  " hash_state FROM upload WHERE id = ?2 AND ended = 0 AND expire_us > ?1",
    .upload_insert = "INSERT INTO upload (id, owner, target, size, sha256, create_us, expire_us)"
                     " VALUES (?2, ?3, ?4, ?5, ?6, ?1, ?7)",
    .upload_extend = "UPDATE upload SET expire_us = ?3, parts = parts + 1,"
                     " received = received + ?5,"
                     " hash_state = CASE WHEN hashed = ?4 AND ?6::bytea IS NOT NULL"
                     " THEN ?6::bytea ELSE hash_state END,"
                     " hashed = CASE WHEN hashed = ?4 AND ?6::bytea IS NOT NULL THEN ?4 + ?5"
                     " ELSE hashed END"
                     " WHERE id = ?2 AND ended = 0 AND expire_us > ?1 AND parts < ?7"
                     " AND (size IS NULL OR ?4 + ?5 <= size)",
    .upload_commit = "DELETE FROM upload WHERE id = ?2 AND ended = 0 AND expire_us > ?1"
                     " AND parts = ?3 AND received = ?4",
    .upload_end = "UPDATE upload SET ended = 1 WHERE id = ?2 AND ended = 0 AND expire_us > ?1",
    .upload_next = "SELECT id, 1 FROM upload WHERE ended = 1 UNION ALL"
                   " SELECT id, 0 FROM upload WHERE expire_us <= ?1 LIMIT 1",
    .upload_expire = "UPDATE upload SET ended = 1 WHERE id = ?2 AND expire_us <= ?1",
    .upload_delete = "DELETE FROM upload WHERE id = ?1 AND ended = 1"
                     " AND NOT EXISTS (SELECT 1 FROM blob_part WHERE blob = ?1)",
};

static const struct comb_sql_migration steps[] = {
    {"data", 1,
     "CREATE TABLE blob_session (id bytea PRIMARY KEY, create_us bigint NOT NULL,"
     " expire_us bigint NOT NULL, dead_us bigint, swept_us bigint) WITH (fillfactor = 50);"
     "CREATE TABLE blob (id bytea PRIMARY KEY, session bytea, size bigint NOT NULL,"
     " sha256 bytea NOT NULL, create_us bigint NOT NULL, condemn_us bigint, incarnation bigint,"
     " doomed bigint NOT NULL DEFAULT 0);"
     "CREATE INDEX blob_condemned ON blob (doomed, condemn_us) WHERE condemn_us IS NOT NULL;"
     "CREATE TABLE blob_part (blob bytea NOT NULL, \"offset\" bigint NOT NULL,"
     " size bigint NOT NULL, sha256 bytea NOT NULL, session bytea NOT NULL,"
     " object bytea NOT NULL UNIQUE, PRIMARY KEY (blob, \"offset\"));"
     "CREATE TABLE upload (id bytea PRIMARY KEY, owner bytea NOT NULL, target bytea NOT NULL,"
     " size bigint, sha256 bytea, create_us bigint NOT NULL, expire_us bigint NOT NULL,"
     " ended bigint NOT NULL DEFAULT 0, parts bigint NOT NULL DEFAULT 0,"
     " received bigint NOT NULL DEFAULT 0, hashed bigint NOT NULL DEFAULT 0, hash_state bytea)"
     " WITH (fillfactor = 70);"
     "CREATE INDEX upload_expiry ON upload (expire_us);"
     "CREATE INDEX upload_ended ON upload (id) WHERE ended = 1"},
};

const struct comb_sql_schema comb_data_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
