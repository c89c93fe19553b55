/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same stream of operations on SQLite, on PostgreSQL and in a plain model: the same answers.
 * The seed is printed; COMB_STREAM_SEED repeats a run, COMB_LONG=1 makes it 100,000 operations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/contract/stream/stream.h"
#include "tests/support/sql_row.h"

enum { STEPS_SHORT = 2500, STEPS_LONG = 100000 };
/* Operations within which a model that differs must have been caught. */
enum { STEPS_TO_CATCH = 20000 };

static struct comb_sql *open_sqlite(const char *folder)
{
    char *path = test_path(folder, "comb.db");
    struct comb_sql *sql = NULL;
    struct comb_error err;

    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, &err), &err);
    free(path);
    return sql;
}

/* The first step at which a side answers otherwise than the model; -1: none of n. */
static int first_difference(struct stream_side *const *sides, size_t n_sides, unsigned seed,
                            enum stream_fault fault, int n, char text[256])
{
    struct stream_model *model = stream_model_new(seed, fault);
    int found = -1;

    for (int i = 0; i < n && found < 0; i++) {
        struct stream_op op;
        struct stream_answer expected, answer;

        stream_model_step(model, &op, &expected);
        for (size_t k = 0; k < n_sides && found < 0; k++) {
            char why[256];

            stream_side_do(sides[k], model, &op, &expected, &answer);
            if (stream_same(&expected, &answer, why))
                continue;
            snprintf(text, 256, "store %zu, step %d, operation %d: %.180s", k, i, (int)op.kind,
                     why);
            found = i;
        }
    }
    stream_model_free(model);
    return found;
}

static void stores_answer_as_the_model_does(void **state)
{
    const char *given = getenv("COMB_STREAM_SEED"), *long_form = getenv("COMB_LONG");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    int n = long_form ? STEPS_LONG : STEPS_SHORT;
    char *folder = test_folder_new(), text[256];
    struct comb_sql *rows[] = {open_sqlite(folder), test_sql_row_open(folder)};
    struct stream_side *sides[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        sides[i] = stream_side_new(rows[i]);
    print_message("COMB_STREAM_SEED=%u, %d operations\n", seed, n);
    if (first_difference(sides, 2, seed, FAULT_NONE, n, text) >= 0)
        fail_msg("%s", text);
    for (int i = 0; i < 2; i++) {
        stream_side_check(sides[i]);
        stream_side_free(sides[i]);
    }
    free(folder);
}

/* The comparison can fail: each model that differs on purpose is told from the store. */
static void a_model_that_differs_is_caught(void **state)
{
    (void)state;
    for (int fault = FAULT_NONE + 1; fault < FAULTS; fault++) {
        char *folder = test_folder_new(), text[256];
        struct stream_side *side = stream_side_new(open_sqlite(folder));
        int at = first_difference(&side, 1, (unsigned)time(NULL), (enum stream_fault)fault,
                                  STEPS_TO_CATCH, text);

        if (at < 0)
            fail_msg("fault %d was not noticed in %d operations", fault, STEPS_TO_CATCH);
        print_message("fault %d: caught at operation %d\n", fault, at);
        stream_side_free(side);
        free(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_answer_as_the_model_does),
        cmocka_unit_test(a_model_that_differs_is_caught),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
