/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of moving begin with: rows of an installation, without a server on them. */
#ifndef COMB_TESTS_CONTRACT_MOVE_FIXTURE_H
#define COMB_TESTS_CONTRACT_MOVE_FIXTURE_H

#include "server/docs/docs.h"
#include "server/move/backup.h"
#include "server/move/state.h"
#include "tests/support/sql_row.h"
#include "tests/support/support.h"

/* Rows of the table "house", which the suites put beside those of the areas: more than two pages.
 */
#define HOUSE_ROWS 500

struct house {
    char *folder;
    struct comb_sql *sql;
    struct comb_vault *vault;
    struct comb_config_store *config;
    struct comb_blobs *blobs;
    struct comb_docs *docs;
    struct comb_backup_rows rows; /* all of them */
    struct test_ctx t;
};

/* New stores, migrated and otherwise empty: the sql row of the driver that the test is linked with,
 * or of SQLite. */
void house_open(struct house *house);
void house_open_sqlite(struct house *house);
void house_close(struct house *house);

/* One statement; text lives as long as the process. house_run is patient with a store that is away,
 * so its statements are such as may be done twice, or seldom. */
enum comb_status house_run_once(struct house *house, const char *text,
                                const struct comb_sql_value *params, size_t n_params,
                                const struct comb_sql_rows **ret_rows);
enum comb_status house_run(struct house *house, const char *text,
                           const struct comb_sql_value *params, size_t n_params,
                           const struct comb_sql_rows **ret_rows);
/* The same; must succeed. */
const struct comb_sql_rows *house_ask(struct house *house, const char *text);

/* HOUSE_ROWS rows with values of every type. */
void house_fill(struct house *house);

/* A content of size bytes in the data row, and its name in the sql row; its key. */
comb_str house_put(struct house *house, unsigned n, size_t size, char ret_key[COMB_BLOB_KEY_MAX]);

/* Streams of the rows; the caller frees them. */
struct comb_move_row *house_sql_stream(struct house *house);
/* Contents by what the sql row of `names` has of them; it is held by *ret_names. */
struct comb_move_row *house_data_stream(struct house *house, struct house *names,
                                        struct comb_move_row **ret_names);
struct comb_move_sums house_sql_sums(struct house *house);

/* Gives row's records to another one until so many have come, then fails as a kill would: what
 * was not written is lost. */
void house_cut_copy(struct comb_move_row *from, struct comb_move_row *to, unsigned records);

int suite_sql(void);
int suite_data(void);
int suite_backup(void);

#endif
