/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/driver/dialect.h"
#include "server/consumers/driver/texts.h"

/* Not now(), which stands since the transaction began, perhaps in front of a lock. */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
#define EMPTY "''::bytea"

static const struct consumers_dialect dialect = CONSUMERS_STATEMENTS;

static const struct comb_sql_migration steps[] = {
    /* Rows that are written again and again: room for it in the page, without an index's help. */
    {"consumers", 1,
     "CREATE TABLE lease (name text COLLATE \"C\" PRIMARY KEY, fence bigint NOT NULL DEFAULT 0,"
     " attempts integer NOT NULL DEFAULT 0, holder bytea, expire_us bigint NOT NULL DEFAULT 0,"
     " incarnation bigint NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0,"
     " rebuild integer NOT NULL DEFAULT 0, epoch bigint NOT NULL DEFAULT 0,"
     " state bytea NOT NULL,"
     " advance_us bigint NOT NULL DEFAULT 0, code integer NOT NULL DEFAULT 0,"
     " message text NOT NULL DEFAULT '', fail_us bigint NOT NULL DEFAULT 0)"
     " WITH (fillfactor = 10);"
     "CREATE TABLE set_aside (name text COLLATE \"C\" NOT NULL, incarnation bigint NOT NULL,"
     " seq bigint NOT NULL, kind integer NOT NULL, subject bytea NOT NULL, rev bigint NOT NULL,"
     " time_us bigint NOT NULL, aside_us bigint NOT NULL, code integer NOT NULL,"
     " message text NOT NULL, PRIMARY KEY (name, incarnation, seq))"},
    /* Those that are wanted are few, and looked for every second. */
    {"consumers", 2,
     "ALTER TABLE set_aside ADD COLUMN wanted integer NOT NULL DEFAULT 0;"
     "CREATE INDEX set_aside_wanted ON set_aside (name, incarnation, seq) WHERE wanted = 1"},
};

const struct comb_sql_schema comb_consumers_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
