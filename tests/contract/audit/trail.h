/* SPDX-License-Identifier: Apache-2.0 */
/* A trail over the row that the test is linked with, a json vault and a json configuration; and
 * ways to spoil it. */
#ifndef TESTS_CONTRACT_AUDIT_TRAIL_H
#define TESTS_CONTRACT_AUDIT_TRAIL_H

#include "server/audit/audit.h"
#include "tests/support/sql_row.h"
#include "tests/support/support.h"

struct trail {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_vault *vault;
    struct comb_config_store *config;
    struct comb_consumers_store *leases;
    struct comb_audit_store *store;
    struct comb_audit *audit;
};

/* cmocka's setup and teardown: a trail whose thread runs. */
int trail_setup(void **state);
int trail_teardown(void **state);

/* The next call of the same caller, with the method and the peer that all have here. */
void trail_next(struct trail *f);
/* Parts of another replica over the same stores. */
struct comb_audit_parts trail_parts(const struct trail *f);
/* Ends the thread, which numbers and signs what is there, and begins with a new one. */
void trail_settle(struct trail *f);
void trail_settle_with(struct trail *f, const struct comb_audit_parts *parts);
/* Records n intents of the caller of f->t. */
void trail_add(struct trail *f, size_t n);
/* What verify finds first. */
struct comb_audit_finding trail_verify(struct trail *f);
#define trail_must_be(f, what, number, other_number)                                               \
    trail_check((f), (struct comb_audit_finding){(what), (number), (other_number)}, __FILE__,      \
                __LINE__)
void trail_check(struct trail *f, struct comb_audit_finding expected, const char *file, int line);

/* Runs a statement beside the server, as who has the database does. text: static. Returns the rows
 * changed. */
int64_t trail_spoil(struct trail *f, const char *text, const struct comb_sql_value *params,
                    size_t n);
const struct comb_sql_rows *trail_ask(struct trail *f, const char *text);
/* The head in the configuration, and putting one there. */
comb_str trail_head(struct trail *f);
void trail_put_head(struct trail *f, comb_str value);

#endif
