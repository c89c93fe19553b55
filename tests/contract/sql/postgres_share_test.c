/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that share a transaction: what becomes of one is none of the others' business. */
#include <stdlib.h>

#include "tests/contract/sql/fixture.h"

enum { READS = 96, ROUNDS = 20, BAD_EVERY = 17 };

struct read {
    struct reads *all;
    int64_t n, got;
    enum comb_status status;
};

struct reads {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int answered;
    struct read each[READS];
};

static void answered(void *data, enum comb_status status, const struct comb_sql_result *result,
                     const struct comb_error *err)
{
    struct read *read = data;
    (void)err;
    pthread_mutex_lock(&read->all->lock);
    read->status = status;
    if (status == COMB_OK)
        read->got = comb_sql_at(&result->rows[1], 0, 0)->integer;
    read->all->answered++;
    pthread_cond_signal(&read->all->wake);
    pthread_mutex_unlock(&read->all->lock);
}

/* Two statements each, of which the second one divides by zero where n is bad. */
static void submit(struct fixture *f, struct read *read)
{
    const struct comb_sql_value params[] = {comb_sql_integer(read->n),
                                            comb_sql_integer(read->n % BAD_EVERY == 3 ? 0 : 1)};
    const struct comb_sql_statement statements[] = {
        {"SELECT ?1::bigint", params, 1, false},
        {"SELECT ?1::bigint / ?2::bigint", params, 2, false}};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, statements, 2};
    comb_sql_submit(f->sql, &f->t.ctx, &request, answered, read);
}

static void a_read_that_fails_fails_no_other(void **state)
{
    struct fixture *f = *state;
    struct reads *reads = calloc(1, sizeof *reads);
    assert_non_null(reads);
    pthread_mutex_init(&reads->lock, NULL);
    pthread_cond_init(&reads->wake, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        test_ctx_next(&f->t);
        reads->answered = 0;
        for (int i = 0; i < READS; i++) {
            reads->each[i] = (struct read){.all = reads, .n = round * READS + i, .got = -1};
            submit(f, &reads->each[i]);
        }
        pthread_mutex_lock(&reads->lock);
        while (reads->answered < READS)
            pthread_cond_wait(&reads->wake, &reads->lock);
        pthread_mutex_unlock(&reads->lock);
        for (int i = 0; i < READS; i++) {
            const struct read *read = &reads->each[i];
            bool bad = read->n % BAD_EVERY == 3;
            assert_int_equal(read->status, bad ? COMB_INTERNAL : COMB_OK);
            assert_true(read->got == (bad ? -1 : read->n));
        }
    }
    pthread_cond_destroy(&reads->wake);
    pthread_mutex_destroy(&reads->lock);
    free(reads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
        a_read_that_fails_fails_no_other, fixture_setup, fixture_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
