/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/driver/dialect.h"
#include "server/operations/driver/texts.h"

/* SQLite's clock has milliseconds; within one statement it stands. */
#define NOW "(CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER) * 1000)"
#define EMPTY "x''"
#define IS_OF(kinds) "instr(" kinds ", ',' || kind || ',') > 0"
#define BIT_OF(states) "(" states " >> state) & 1 = 1"
#define SKIP_LOCKED ""

static const struct operations_dialect dialect = OPERATIONS_STATEMENTS;

static const struct comb_sql_migration steps[] = {
    {"operations", 1,
     "CREATE TABLE operation (id BLOB PRIMARY KEY NOT NULL, kind TEXT NOT NULL,"
     " owner BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 1, cancel INTEGER NOT NULL DEFAULT 0,"
     " unique_key TEXT, arguments BLOB NOT NULL, resume BLOB NOT NULL DEFAULT x'',"
     " result BLOB NOT NULL DEFAULT x'', code INTEGER NOT NULL DEFAULT 0,"
     " reason INTEGER NOT NULL DEFAULT 0, why TEXT NOT NULL DEFAULT '',"
     " done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,"
     " unit TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '',"
     " rev INTEGER NOT NULL DEFAULT 1, attempts INTEGER NOT NULL DEFAULT 0,"
     " fence INTEGER NOT NULL DEFAULT 0, holder BLOB, expire_us INTEGER,"
     " due_us INTEGER NOT NULL DEFAULT 0, create_us INTEGER NOT NULL, start_us INTEGER,"
     " update_us INTEGER NOT NULL, end_us INTEGER) WITHOUT ROWID;"
     "CREATE INDEX operation_open ON operation (id) WHERE state <= 2;"
     "CREATE INDEX operation_owner ON operation (owner, id);"
     "CREATE INDEX operation_kind ON operation (kind, end_us);"
     "CREATE UNIQUE INDEX operation_key ON operation (unique_key) WHERE unique_key IS NOT NULL"},
};

const struct comb_sql_schema comb_operations_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
