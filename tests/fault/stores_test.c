/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One combd on all clustered stores, under load, while one store after another is killed with -9
 * and started again, and frozen for a while: nothing acknowledged is lost, what DESIGN §7 says goes
 * on does, the rest is refused with UNAVAILABLE before its deadline, and all of it comes back
 * without a restart of combd. Prints the table of docs/operations.md.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/e2e/calls.h"
#include "tests/fault/store_load_rows.h"
#include "tests/support/cmocka.h"

#define NS_PER_MS INT64_C(1000000)
#define BEFORE_MS 1000
#define DOWN_MS 1500
#define FROZEN_MS_SHORT 3000
#define FROZEN_MS_LONG 30000

/* A store of bazel/stores, and what cannot be done without it. */
static const struct store {
    const char *name;
    unsigned refused; /* bits 1 << enum store_load_number */
} stores_table[] = {
    {"postgres", (1u << STORE_LOADS) - 1}, /* who calls is not known */
    {"etcd", 1u << STORE_LOAD_CONFIG | 1u << STORE_LOAD_REGISTER},
    {"vault", 1u << STORE_LOAD_VAULT},
    {"redis", 0},
    {"nats", 1u << STORE_LOAD_PUBLISH},
    {"s3", 1u << STORE_LOAD_PUT},
    {"mongodb", 0},
};
#define N_STORES (sizeof stores_table / sizeof stores_table[0])

static struct combd combd;
static struct store_load loads[STORE_LOADS];
static struct store_ear ear;

static int set_up(void **state)
{
    (void)state;
    combd_start(&combd, NULL);
    assert_non_null(combd.stores);
    store_load_prepare(&combd);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    combd_stop(&combd);
    stores_stop(combd.stores);
    return 0;
}

static bool is_run(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/pid", combd.stores->folder, name);
    return access(path, R_OK) == 0;
}

/* Failures of one load since begin_ns: each must be one that the store's absence explains. */
static void judge(const struct store *store, const char *fault, size_t number, int64_t begin_ns,
                  int64_t again_ns)
{
    const struct store_load *load = &loads[number];
    unsigned ok = 0, failed = 0;
    int64_t longest_ns = 0;
    for (unsigned i = 0; i < atomic_load(&load->n); i++) {
        const struct store_load_call *call = &load->calls[i];
        if (call->end_ns < begin_ns)
            continue;
        if (call->end_ns - call->begin_ns > longest_ns)
            longest_ns = call->end_ns - call->begin_ns;
        ok += call->status == GRPCC_OK;
        failed += call->status != GRPCC_OK;
        if (call->status != GRPCC_OK &&
            (call->status != GRPCC_UNAVAILABLE || !(store->refused & 1u << number)))
            fail_msg("%s %s: \"%s\" ended with %s: %s", store->name, fault, load->kind->name,
                     grpcc_status_name(call->status), load->messages[call->status]);
    }
    print_message("| %s | %s | %s | %u | %u | %.0f ms | %.0f ms |\n", store->name, fault,
                  load->kind->name, ok, failed, (double)longest_ns / (double)NS_PER_MS,
                  (double)again_ns / (double)NS_PER_MS);
}

static void break_and_mend(const struct store *store, const char *fault, bool freeze,
                           unsigned down_ms)
{
    int64_t begin_ns = calls_now_ns(), again_ns[STORE_LOADS];
    if (freeze)
        stores_freeze(combd.stores, store->name);
    else
        stores_kill(combd.stores, store->name);
    calls_sleep_ms(down_ms);
    if (freeze)
        stores_thaw(combd.stores, store->name);
    else
        stores_start(combd.stores);
    for (size_t i = 0; i < STORE_LOADS; i++)
        again_ns[i] = store_load_await_success(&loads[i]);
    for (size_t i = 0; i < STORE_LOADS; i++)
        judge(store, fault, i, begin_ns, again_ns[i]);
}

static void report_ear(void)
{
    struct store_ear_sum sum;
    store_ear_stop(&ear, &loads[STORE_LOAD_PUBLISH], &sum);
    print_message("listen: %u heard, %u acknowledged and missed, %u of these untold, %u refused "
                  "and heard; %u losses told, %u calls ended\n",
                  ear.n_heard, sum.missed, sum.silent, sum.phantom, ear.n_told, ear.n_ends);
    assert_true(ear.n_heard > 0);
    assert_int_equal(sum.silent, 0);
    assert_int_equal(sum.phantom, 0);
}

static void what_breaks_comes_back(void **state)
{
    (void)state;
    unsigned frozen_ms = calls_count(FROZEN_MS_SHORT, FROZEN_MS_LONG);
    print_message("| store | fault | call | succeeded | refused | longest | again after |\n");
    print_message("|---|---|---|---|---|---|---|\n");
    store_ear_start(&ear, &combd);
    for (size_t i = 0; i < STORE_LOADS; i++)
        store_load_start(&loads[i], (enum store_load_number)i, &combd);
    calls_sleep_ms(BEFORE_MS);
    for (size_t i = 0; i < N_STORES; i++) {
        if (!is_run(stores_table[i].name))
            continue;
        break_and_mend(&stores_table[i], "killed", false, DOWN_MS);
        break_and_mend(&stores_table[i], "frozen", true, frozen_ms);
    }
    for (size_t i = 0; i < STORE_LOADS; i++)
        store_load_stop(&loads[i]);
    report_ear();
    for (size_t i = 0; i < STORE_LOADS; i++) {
        unsigned acknowledged, lost;
        store_load_verify(&loads[i], &acknowledged, &lost);
        print_message("%s: %u acknowledged, %u lost\n", loads[i].kind->name, acknowledged, lost);
        assert_true(acknowledged > 0);
        assert_int_equal(lost, 0);
        store_load_free(&loads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_comes_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
