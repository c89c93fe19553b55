/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/dialect.h"

#include <stdlib.h>

#include "server/mutation/mutation.h"

const struct comb_sql_schema *const comb_mutation_schemas[] = {
    &comb_mutation_schema_sqlite, &comb_mutation_schema_postgres, NULL};

const struct comb_mutation_dialect *comb_mutation_dialect_of(struct comb_sql *sql)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_mutation_schemas, NULL);
    if (!schema)
        abort();
    return schema->dialect;
}
