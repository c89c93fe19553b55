/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fault_sql.h"

#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"

/* A request that runs, and whose answer nobody gets. */
struct lost {
    comb_sql_done done;
    void *data;
};

static void answer(comb_sql_done done, void *data, bool ambiguous)
{
    struct comb_error err;
    comb_error_set(&err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "the test took the answer away");
    err.retryable = true;
    err.ambiguous = ambiguous;
    done(data, COMB_UNAVAILABLE, NULL, &err);
}

static void lost_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                      const struct comb_error *err)
{
    struct lost *lost = data;
    (void)status;
    (void)result;
    (void)err;
    answer(lost->done, lost->data, true);
    free(lost);
}

static void fault_submit(struct comb_sql *self, const struct comb_ctx *ctx,
                         const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct test_fault_sql *sql = (struct test_fault_sql *)self;
    bool counts = sql->kinds >> request->kind & 1u;
    long left = counts ? atomic_fetch_sub(&sql->left, 1) : 0;
    if (!counts || left > 1 || left <= 1 - sql->n_faults) {
        comb_sql_submit(sql->inner, ctx, request, done, data);
        return;
    }
    struct lost *lost = sql->fault == TEST_SQL_LOSE ? malloc(sizeof *lost) : NULL;
    if (!lost) {
        answer(done, data, false);
        return;
    }
    *lost = (struct lost){done, data};
    comb_sql_submit(sql->inner, ctx, request, lost_done, lost);
}

static enum comb_status fault_migrate(struct comb_sql *self,
                                      const struct comb_sql_migration *migrations, size_t n,
                                      struct comb_error *err)
{
    return comb_sql_migrate(((struct test_fault_sql *)self)->inner, migrations, n, err);
}

static void fault_info(struct comb_sql *self, struct comb_sql_info *ret_info)
{
    comb_sql_get_info(((struct test_fault_sql *)self)->inner, ret_info);
}

static void fault_stats(struct comb_sql *self, struct comb_sql_stats *ret_stats)
{
    comb_sql_get_stats(((struct test_fault_sql *)self)->inner, ret_stats);
}

static void fault_close(struct comb_sql *self)
{
    (void)self;
}

static const struct comb_sql_driver fault_driver = {
    .name = "fault",
    .submit = fault_submit,
    .migrate = fault_migrate,
    .info = fault_info,
    .stats = fault_stats,
    .close = fault_close,
};

void test_fault_sql_init(struct test_fault_sql *sql, struct comb_sql *inner)
{
    *sql = (struct test_fault_sql){.base = {&fault_driver}, .inner = inner};
}

void test_fault_sql_arm(struct test_fault_sql *sql, enum test_sql_fault fault, uint32_t kinds,
                        long n, long n_faults)
{
    sql->fault = fault;
    sql->kinds = kinds;
    sql->n_faults = n_faults;
    atomic_store(&sql->left, n);
}
