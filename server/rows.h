/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of one server: what an operator configures by one URL each. Decides which driver a row
 * has, opens them in order, waits for those without which nothing can be served, and says how they
 * fare.
 */
#ifndef COMB_ROWS_H
#define COMB_ROWS_H

#include <stdio.h>

#include "server/options.h"
#include "server/row_drivers.h"
#include "server/secret.h"

/* The URL of a row in full: "sqlite:/srv/comb/comb.db". */
#define COMB_URL_MAX 4200

struct comb_rows {
    const struct comb_options *options;
    struct comb_row_state {
        char url[COMB_URL_MAX];
        const struct comb_row_driver *driver; /* NULL: this build does not have the row */
        struct comb_secret credentials;
        void *store; /* NULL: not open */
    } rows[COMB_ROWS];
};

/* How the start waits for a store: up to ms; false where the start is to be given up. */
struct comb_rows_patience {
    bool (*wait)(void *data, uint32_t ms);
    void *data;
};

const char *comb_row_name(enum comb_row row);
/* COMB_ROWS: there is none of that name. */
enum comb_row comb_row_find(const char *name);

/*
 * Decides URLs and drivers from the options and their defaults below home; touches nothing. options
 * must live as long as rows. INVALID_ARGUMENT, with the URLs that this build takes, where no driver
 * has the scheme.
 */
enum comb_status comb_rows_init(struct comb_rows *rows, const struct comb_options *options,
                                const char *home, struct comb_error *err) COMB_MUST_CHECK;
/*
 * Whether several servers may share the rows, as --cluster demands: FAILED_PRECONDITION where one
 * may not; `out` gets a line for each such row, with what to give instead.
 */
enum comb_status comb_rows_check_cluster(const struct comb_rows *rows, FILE *out,
                                         struct comb_error *err) COMB_MUST_CHECK;

/*
 * Opens all rows and waits until vault, sql and data can be used, while patience lasts and ctx's
 * deadline has not passed. The others may be away: what stands on them copes. On failure the rows
 * that are open stay so, for comb_rows_done().
 */
enum comb_status comb_rows_open(struct comb_rows *rows, const struct comb_rows_patience *patience,
                                struct comb_ctx *ctx, struct comb_error *err) COMB_MUST_CHECK;
/*
 * What `combd --check` does: asks each row, with a deadline, and writes a line for each to out:
 * its name, driver, "ok" or "FAILED", and what it reaches or what to do. Stores for one process are
 * not opened, since a server may have them open: it is looked at whether their place can be used.
 * Makes no file, migrates nothing. True: all can be used. Once, instead of comb_rows_open().
 */
bool comb_rows_check(struct comb_rows *rows, FILE *out);

/* Opens one row with its credentials; not twice. For comb_rows_open() and comb_rows_check(). */
enum comb_status comb_rows_open_one(struct comb_rows *rows, enum comb_row row, struct comb_ctx *ctx,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Whether the credentials of any row lie in the vault. */
bool comb_rows_refer_to_vault(const struct comb_rows *rows);
/* What the row's interface is called with; NULL: this build does not have it, or it is not open. */
void *comb_rows_store(const struct comb_rows *rows, enum comb_row row);
/* Asks an open row's store, within ctx's deadline and a few seconds: the error says in one line
 * what the operator has to do. OK where the row cannot be asked. Any thread; blocks. */
enum comb_status comb_rows_ask(const struct comb_rows *rows, enum comb_row row,
                               struct comb_ctx *ctx, struct comb_error *err) COMB_MUST_CHECK;
/* How an open row fares now. Any thread; never blocks. */
void comb_rows_status(const struct comb_rows *rows, enum comb_row row,
                      struct comb_store_status *ret_status);

/* Closes what is open, the vault last, and wipes the credentials. No call may be running. */
void comb_rows_done(struct comb_rows *rows);

#endif
