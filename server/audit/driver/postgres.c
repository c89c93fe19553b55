/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/driver/dialect.h"
#include "server/audit/driver/texts.h"

#define ZERO_ID "'\\x00000000000000000000000000000000'::bytea"
#define ZERO_HASH "'\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea"
/* The place of a line among those of its request, from 0. */
#define AT "(l.i::integer - 1)"
#define ID_OR_NULL(at) "nullif(substr(?5, " AT " * 48 + " at ", 16), " ZERO_ID ")"

static const struct audit_dialect dialect = {
    AUDIT_STATEMENTS,
    .append = "INSERT INTO audit " AUDIT_COLUMNS " SELECT ?1 + l.i, ?2,"
              " substr(?3, " AT " * 16 + 1, 16),"
              " (SELECT record FROM audit_intake WHERE id = substr(?3, " AT " * 16 + 1, 16)),"
              " substr(?4, " AT " * 32 + 1, 32), substr(?4, " AT " * 32 + 33, 32),"
              " (l.value->>0)::bigint, (l.value->>1)::bigint,"
              " " ID_OR_NULL("1") ", " ID_OR_NULL("17") ", " ID_OR_NULL(
                  "33") " FROM json_array_elements(?6::json) WITH ORDINALITY AS l(value, i)",
    .take = "DELETE FROM audit_intake WHERE id IN"
            " (SELECT substr(?1, " AT " * 16 + 1, 16)"
            "  FROM json_array_elements(?2::json) WITH ORDINALITY AS l(value, i))",
    .by_number = AUDIT_HIT " WHERE n = ANY (ARRAY(SELECT value::bigint FROM"
                           " json_array_elements_text(?1::json)))",
};

static const struct comb_sql_migration steps[] = {
    {"audit", 1,
     "CREATE TABLE audit ("
     " n bigint PRIMARY KEY, number_us bigint NOT NULL, id bytea NOT NULL, record bytea NOT NULL,"
     " before bytea NOT NULL, hash bytea NOT NULL, time_us bigint NOT NULL, code bigint NOT NULL,"
     " who bytea, node bytea, intent bytea);"
     "CREATE TABLE audit_end (one integer PRIMARY KEY CHECK (one = 1), n bigint NOT NULL,"
     " number_us bigint NOT NULL, hash bytea NOT NULL) WITH (fillfactor = 10);"
     "INSERT INTO audit_end VALUES (1, 0, 0, " ZERO_HASH ");"
     "CREATE TABLE audit_seal (kind bigint PRIMARY KEY, n bigint NOT NULL, time_us bigint NOT NULL,"
     " key bigint NOT NULL, hash bytea NOT NULL, signature bytea NOT NULL);" AUDIT_INDEXES},
};

const struct comb_sql_schema comb_audit_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
