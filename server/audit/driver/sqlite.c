/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/driver/dialect.h"
#include "server/audit/driver/texts.h"

/* The place of a line among those of its request is the key of its element. */
#define ID_OR_NULL(at) "nullif(substr(?5, l.key * 48 + " at ", 16), zeroblob(16))"

static const struct audit_dialect dialect = {
    AUDIT_STATEMENTS,
    .append =
        "INSERT INTO audit " AUDIT_COLUMNS " SELECT ?1 + 1 + l.key, ?2,"
        " substr(?3, l.key * 16 + 1, 16),"
        " (SELECT record FROM audit_intake WHERE id = substr(?3, l.key * 16 + 1, 16)),"
        " substr(?4, l.key * 32 + 1, 32), substr(?4, l.key * 32 + 33, 32),"
        " json_extract(l.value, '$[0]'), json_extract(l.value, '$[1]'),"
        " " ID_OR_NULL("1") ", " ID_OR_NULL("17") ", " ID_OR_NULL("33") " FROM json_each(?6) AS l",
    .take = "DELETE FROM audit_intake WHERE id IN"
            " (SELECT substr(?1, key * 16 + 1, 16) FROM json_each(?2))",
    .by_number = AUDIT_HIT " WHERE n IN (SELECT value FROM json_each(?1))",
};

static const struct comb_sql_migration steps[] = {
    {"audit", 1,
     "CREATE TABLE audit ("
     " n INTEGER PRIMARY KEY, number_us INTEGER NOT NULL, id BLOB NOT NULL, record BLOB NOT NULL,"
     " before BLOB NOT NULL, hash BLOB NOT NULL, time_us INTEGER NOT NULL, code INTEGER NOT NULL,"
     " who BLOB, node BLOB, intent BLOB);"
     "CREATE TABLE audit_end (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL,"
     " number_us INTEGER NOT NULL, hash BLOB NOT NULL);"
     "INSERT INTO audit_end VALUES (1, 0, 0, zeroblob(32));"
     "CREATE TABLE audit_seal (kind INTEGER PRIMARY KEY, n INTEGER NOT NULL,"
     " time_us INTEGER NOT NULL, key INTEGER NOT NULL, hash BLOB NOT NULL,"
     " signature BLOB NOT NULL);" AUDIT_INDEXES},
};

const struct comb_sql_schema comb_audit_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
