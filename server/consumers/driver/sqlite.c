/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/driver/dialect.h"
#include "server/consumers/driver/texts.h"

/* SQLite's clock has milliseconds; within one statement it stands. */
#define NOW "(CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER) * 1000)"
#define EMPTY "x''"

static const struct consumers_dialect dialect = CONSUMERS_STATEMENTS;

static const struct comb_sql_migration steps[] = {
    {"consumers", 1,
     "CREATE TABLE lease (name TEXT PRIMARY KEY NOT NULL, fence INTEGER NOT NULL DEFAULT 0,"
     " attempts INTEGER NOT NULL DEFAULT 0, holder BLOB, expire_us INTEGER NOT NULL DEFAULT 0,"
     " incarnation INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0,"
     " rebuild INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0,"
     " state BLOB NOT NULL,"
     " advance_us INTEGER NOT NULL DEFAULT 0, code INTEGER NOT NULL DEFAULT 0,"
     " message TEXT NOT NULL DEFAULT '', fail_us INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
     "CREATE TABLE set_aside (name TEXT NOT NULL, incarnation INTEGER NOT NULL,"
     " seq INTEGER NOT NULL, kind INTEGER NOT NULL, subject BLOB NOT NULL, rev INTEGER NOT NULL,"
     " time_us INTEGER NOT NULL, aside_us INTEGER NOT NULL, code INTEGER NOT NULL,"
     " message TEXT NOT NULL, PRIMARY KEY (name, incarnation, seq)) WITHOUT ROWID"},
    /* Those that are wanted are few, and looked for every second. */
    {"consumers", 2,
     "ALTER TABLE set_aside ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX set_aside_wanted ON set_aside (name, incarnation, seq) WHERE wanted = 1"},
};

const struct comb_sql_schema comb_consumers_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
