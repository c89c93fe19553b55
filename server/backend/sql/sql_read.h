/* SPDX-License-Identifier: Apache-2.0 */
/* Ids out of rows: what drivers of areas share. */
#ifndef COMB_BACKEND_SQL_READ_H
#define COMB_BACKEND_SQL_READ_H

#include "server/backend/sql/sql.h"

/* False: the value is no id. */
bool comb_sql_uuid_at(const struct comb_sql_rows *rows, size_t row, size_t column,
                      struct comb_uuid *ret_id) COMB_MUST_CHECK;
/* Ids as one text of hexadecimal digits, 32 for each, without separators; NULL and "" are none.
 * *ret_ids lives in arena. DATA_LOSS: the value is something else. */
enum comb_status comb_sql_uuids_at(struct grpcc_arena *arena, const struct comb_sql_rows *rows,
                                   size_t row, size_t column, const struct comb_uuid **ret_ids,
                                   size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS: a row of that table is not of the form that the server writes. */
enum comb_status comb_sql_row_damaged(const char *table, struct comb_error *err);

#endif
