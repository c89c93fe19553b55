/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of contents for PostgreSQL, and their schema. */
#include "server/data/driver/dialect.h"

static const struct comb_data_dialect dialect = {
    /* The lock keeps it alive until what rests on it is committed: whoever declares it dead has to
     * wait for that, and then sees which objects have been named. */
    .session_alive = "SELECT 1 FROM blob_session WHERE id = ?1 AND dead_us IS NULL FOR SHARE",
    .blob_window = "WITH looked_at AS MATERIALIZED (SELECT * FROM blob WHERE id > ?1 ORDER BY id"
                   " LIMIT ?2) SELECT (SELECT id FROM looked_at ORDER BY id DESC LIMIT 1),"
                   " (SELECT count(*) FROM looked_at), (SELECT count(*) FROM looked_at b"
                   " WHERE b.doomed = 0 AND ((" MUST_CONDEMN("?3") ") OR (" MUST_LIFT ")))",
    .blob_doom = "UPDATE blob AS b SET doomed = 1 WHERE b.id = ANY (ARRAY(SELECT id FROM blob"
                 " WHERE condemn_us <= ?1 AND doomed = 0 AND incarnation = ?2 LIMIT ?3))"
                 " AND NOT " REFERENCED,
    .upload_extend = "UPDATE upload SET expire_us = ?3, parts = parts + 1,"
                     " received = received + ?5,"
                     " hash_state = CASE WHEN hashed = ?4 AND ?6::bytea IS NOT NULL"
                     " THEN ?6::bytea ELSE hash_state END,"
                     " hashed = CASE WHEN hashed = ?4 AND ?6::bytea IS NOT NULL THEN ?4 + ?5"
                     " ELSE hashed END"
                     " WHERE id = ?2 AND ended = 0 AND expire_us > ?1 AND parts < ?7"
                     " AND (size IS NULL OR ?4 + ?5 <= size)",
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
    /* One of a bounded number of places of its owner; free again once it has ended. NULL: opened by
     * a release that had no bound. Then: how objects are stored, if they are encrypted. */
    {"data", 2,
     "ALTER TABLE upload ADD COLUMN place bigint;"
     "CREATE UNIQUE INDEX upload_place ON upload (owner, place) WHERE ended = 0;"
     "CREATE INDEX upload_by_owner ON upload (owner, id) WHERE ended = 0;"
     "ALTER TABLE blob ADD COLUMN wrapped bytea;"
     "ALTER TABLE blob ADD COLUMN stored bigint;"
     "ALTER TABLE blob ADD COLUMN stored_sha256 bytea;"
     "ALTER TABLE blob_part ADD COLUMN wrapped bytea;"
     "ALTER TABLE blob_part ADD COLUMN stored bigint;"
     "ALTER TABLE blob_part ADD COLUMN stored_sha256 bytea;"
     "CREATE TABLE blob_replaced (object bytea PRIMARY KEY, session bytea NOT NULL,"
     " replace_us bigint NOT NULL);"
     "CREATE INDEX blob_replaced_age ON blob_replaced (replace_us)"},
};

const struct comb_sql_schema comb_data_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
