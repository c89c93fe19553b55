/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of contents for SQLite, and their schema. */
#include "server/data/driver/dialect.h"

static const struct comb_data_dialect dialect = {
    .session_alive = "SELECT 1 FROM blob_session WHERE id = ?1 AND dead_us IS NULL",
    .blob_window = "SELECT max(b.id), count(*), sum(b.doomed = 0 AND ((" MUST_CONDEMN(
        "?3") ") OR (" MUST_LIFT "))) FROM (SELECT * FROM blob WHERE id > ?1"
              " ORDER BY id LIMIT ?2) b",
    .blob_doom = "UPDATE blob AS b SET doomed = 1 WHERE b.id IN (SELECT id FROM blob"
                 " WHERE condemn_us <= ?1 AND doomed = 0 AND incarnation = ?2 LIMIT ?3)"
                 " AND NOT " REFERENCED,
    .upload_extend = "UPDATE upload SET expire_us = ?3, parts = parts + 1,"
                     " received = received + ?5,"
                     " hash_state = CASE WHEN hashed = ?4 AND ?6 IS NOT NULL THEN ?6"
                     " ELSE hash_state END,"
                     " hashed = CASE WHEN hashed = ?4 AND ?6 IS NOT NULL THEN ?4 + ?5"
                     " ELSE hashed END"
                     " WHERE id = ?2 AND ended = 0 AND expire_us > ?1 AND parts < ?7"
                     " AND (size IS NULL OR ?4 + ?5 <= size)",
};

static const struct comb_sql_migration steps[] = {
    {"data", 1,
     "CREATE TABLE blob_session (id BLOB PRIMARY KEY NOT NULL, create_us INTEGER NOT NULL,"
     " expire_us INTEGER NOT NULL, dead_us INTEGER, swept_us INTEGER) WITHOUT ROWID;"
     "CREATE TABLE blob (id BLOB PRIMARY KEY NOT NULL, session BLOB, size INTEGER NOT NULL,"
     " sha256 BLOB NOT NULL, create_us INTEGER NOT NULL, condemn_us INTEGER,"
     " incarnation INTEGER, doomed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE INDEX blob_condemned ON blob (doomed, condemn_us) WHERE condemn_us IS NOT NULL;"
     "CREATE TABLE blob_part (blob BLOB NOT NULL, offset INTEGER NOT NULL,"
     " size INTEGER NOT NULL, sha256 BLOB NOT NULL, session BLOB NOT NULL,"
     " object BLOB NOT NULL UNIQUE, PRIMARY KEY (blob, offset)) WITHOUT ROWID;"
     "CREATE TABLE upload (id BLOB PRIMARY KEY NOT NULL, owner BLOB NOT NULL,"
     " target BLOB NOT NULL, size INTEGER, sha256 BLOB, create_us INTEGER NOT NULL,"
     " expire_us INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,"
     " parts INTEGER NOT NULL DEFAULT 0, received INTEGER NOT NULL DEFAULT 0,"
     " hashed INTEGER NOT NULL DEFAULT 0, hash_state BLOB) WITHOUT ROWID;"
     "CREATE INDEX upload_expiry ON upload (expire_us);"
     "CREATE INDEX upload_ended ON upload (id) WHERE ended = 1"},
    /* One of a bounded number of places of its owner; free again once it has ended. NULL: opened by
     * a release that had no bound. Then: how objects are stored, if they are encrypted. */
    {"data", 2,
     "ALTER TABLE upload ADD COLUMN place INTEGER;"
     "CREATE UNIQUE INDEX upload_place ON upload (owner, place) WHERE ended = 0;"
     "CREATE INDEX upload_by_owner ON upload (owner, id) WHERE ended = 0;"
     "ALTER TABLE blob ADD COLUMN wrapped BLOB;"
     "ALTER TABLE blob ADD COLUMN stored INTEGER;"
     "ALTER TABLE blob ADD COLUMN stored_sha256 BLOB;"
     "ALTER TABLE blob_part ADD COLUMN wrapped BLOB;"
     "ALTER TABLE blob_part ADD COLUMN stored INTEGER;"
     "ALTER TABLE blob_part ADD COLUMN stored_sha256 BLOB;"
     "CREATE TABLE blob_replaced (object BLOB PRIMARY KEY NOT NULL, session BLOB NOT NULL,"
     " replace_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX blob_replaced_age ON blob_replaced (replace_us)"},
};

const struct comb_sql_schema comb_data_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
