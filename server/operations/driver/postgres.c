/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/driver/dialect.h"
#include "server/operations/driver/texts.h"

/* Not now(), which stands since the transaction began, perhaps in front of a lock. */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
#define EMPTY "''::bytea"
#define IS_OF(kinds) "strpos(" kinds ", ',' || kind || ',') > 0"
#define BIT_OF(states) "(" states " >> state) & 1 = 1"
#define SKIP_LOCKED " FOR UPDATE SKIP LOCKED"

static const struct operations_dialect dialect = OPERATIONS_STATEMENTS;

static const struct comb_sql_migration steps[] = {
    {"operations", 1,
     "CREATE TABLE operation (id bytea PRIMARY KEY, kind text COLLATE \"C\" NOT NULL,"
     " owner bytea NOT NULL, state integer NOT NULL DEFAULT 1, cancel integer NOT NULL DEFAULT 0,"
     " unique_key text COLLATE \"C\", arguments bytea NOT NULL,"
     " resume bytea NOT NULL DEFAULT '', result bytea NOT NULL DEFAULT '',"
     " code integer NOT NULL DEFAULT 0, reason integer NOT NULL DEFAULT 0,"
     " why text NOT NULL DEFAULT '', done bigint NOT NULL DEFAULT 0,"
     " total bigint NOT NULL DEFAULT 0, unit text NOT NULL DEFAULT '',"
     " message text NOT NULL DEFAULT '', rev bigint NOT NULL DEFAULT 1,"
     " attempts integer NOT NULL DEFAULT 0, fence bigint NOT NULL DEFAULT 0, holder bytea,"
     " expire_us bigint, due_us bigint NOT NULL DEFAULT 0, create_us bigint NOT NULL,"
     " start_us bigint, update_us bigint NOT NULL, end_us bigint);"
     "CREATE INDEX operation_open ON operation (id) WHERE state <= 2;"
     "CREATE INDEX operation_owner ON operation (owner, id);"
     "CREATE INDEX operation_kind ON operation (kind, end_us);"
     "CREATE UNIQUE INDEX operation_key ON operation (unique_key) WHERE unique_key IS NOT NULL"},
};

const struct comb_sql_schema comb_operations_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
