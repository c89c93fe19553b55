/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open, empty store of the driver under test, and requests made short. The suites know the
 * interface only; what a driver needs to be started is in driver_DRIVER.c.
 */
#ifndef COMB_CONTRACT_SQL_FIXTURE_H
#define COMB_CONTRACT_SQL_FIXTURE_H

#include <pthread.h>

#include "server/backend/sql/sql.h"
#include "tests/support/support.h"

struct fixture {
    struct test_ctx t;
    struct comb_sql *sql;
    char *place; /* of the store, as driver_open takes it */
};

/* driver_DRIVER.c */
/* Makes an empty place for a store; the fixture frees the text. */
char *driver_place(void);
enum comb_status driver_open(const char *place, struct comb_sql **ret_sql,
                             struct comb_error *err) COMB_MUST_CHECK;
/* A statement without tables that keeps the store busy for some seconds and returns a row. */
extern const char driver_slow_sql[];

/* For the suites of mutations: tables node(id, parent, name, acl_rev), UNIQUE (parent, name), and
 * user(id, roles_rev); 3500 entries and 2500 requests of 1970, numbered from 1; four more entries
 * of a megabyte each; what makes any entry unreadable, up to NULL. */
extern const char driver_nodes_sql[];
extern const char driver_old_entries_sql[], driver_old_requests_sql[], driver_large_entry_sql[];
extern const char *const driver_damages_sql[];

/* Makes table item(id integer, numbered by the store, name text unique, rev integer). */
extern const char driver_item_sql[];

/* With table item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, rev INTEGER), empty. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* One statement without parameters. */
enum comb_status run_text(struct fixture *f, enum comb_sql_kind kind, const char *text,
                          const struct comb_sql_result **ret_result) COMB_MUST_CHECK;
enum comb_status run_all(struct fixture *f, enum comb_sql_kind kind,
                         const struct comb_sql_statement *statements, size_t n,
                         const struct comb_sql_result **ret_result) COMB_MUST_CHECK;
/* INSERT INTO item. */
enum comb_status insert_item(struct comb_sql *sql, struct comb_ctx *ctx, int64_t id, comb_str name,
                             struct comb_error *err) COMB_MUST_CHECK;
/* The only value of the only row. */
int64_t number(struct fixture *f, const char *text);

/* Somebody who is told later; done must have come before he leaves his scope. */
struct listener {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int calls;
    enum comb_status status;
    struct comb_error err;
    bool has_result;
    int guard_failed, constraint_failed;
};
#define LISTENER_INIT                                                                              \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER                        \
    }
/* A comb_sql_done; data: struct listener. */
void listener_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                   const struct comb_error *err);
void listener_wait(struct listener *listener);

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A test on a store of its own. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int run_suite_migrate(void);
int run_suite_read(void);
int run_suite_time(void);
int run_suite_write(void);

#endif
