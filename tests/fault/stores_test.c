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

#define NS_PER_S 1e9
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

/* Calls of the loads that need the store, or of the others, since it was broken. */
struct group {
    unsigned acknowledged, refused;
    int64_t longest_ns, again_ns; /* again: the last of them */
};

/* Adds a load's calls since begin_ns. Each failure must be one that the store's absence explains.
 */
static void judge(const struct store *store, const char *fault, size_t number, int64_t begin_ns,
                  struct group *group)
{
    const struct store_load *load = &loads[number];
    for (unsigned i = 0; i < atomic_load(&load->n); i++) {
        const struct store_load_call *call = &load->calls[i];
        if (call->end_ns < begin_ns)
            continue;
        if (call->end_ns - call->begin_ns > group->longest_ns)
            group->longest_ns = call->end_ns - call->begin_ns;
        group->acknowledged += call->status == GRPCC_OK;
        group->refused += call->status != GRPCC_OK;
        if (call->status != GRPCC_OK &&
            (call->status != GRPCC_UNAVAILABLE || !(store->refused & 1u << number)))
            fail_msg("%s %s: \"%s\" ended with %s: %s", store->name, fault, load->kind->name,
                     grpcc_status_name(call->status), load->messages[call->status]);
    }
}

static void print_group(const struct group *group, bool needs)
{
    if (group->acknowledged == 0)
        print_message(needs ? " - | - | - | - |" : " - | - |");
    else if (needs)
        print_message(" %u | %u | %.2f s | %.2f s |", group->acknowledged, group->refused,
                      (double)group->longest_ns / NS_PER_S, (double)group->again_ns / NS_PER_S);
    else
        print_message(" %u | %.2f s |", group->acknowledged, (double)group->longest_ns / NS_PER_S);
}

static void break_and_mend(const struct store *store, const char *fault, bool freeze,
                           unsigned down_ms)
{
    int64_t begin_ns = calls_now_ns();
    struct group groups[2] = {{0}}; /* the second: of those that need it */
    if (freeze)
        stores_freeze(combd.stores, store->name);
    else
        stores_kill(combd.stores, store->name);
    calls_sleep_ms(down_ms);
    if (freeze)
        stores_thaw(combd.stores, store->name);
    else
        stores_start(combd.stores);
    int64_t mended_ns = calls_now_ns();
    for (size_t i = 0; i < STORE_LOADS; i++) {
        struct group *group = &groups[store->refused >> i & 1];
        int64_t again_ns = store_load_await_success(&loads[i], mended_ns);
        group->again_ns = again_ns > group->again_ns ? again_ns : group->again_ns;
    }
    for (size_t i = 0; i < STORE_LOADS; i++)
        judge(store, fault, i, begin_ns, &groups[store->refused >> i & 1]);
    print_message("| %s | %s %.1f s |", store->name, fault, down_ms / 1000.0);
    print_group(&groups[1], true);
    print_group(&groups[0], false);
    print_message("\n");
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
    print_message("| store | fault | acknowledged | refused | longest | again after | others: "
                  "acknowledged | longest |\n"
                  "|---|---|---:|---:|---:|---:|---:|---:|\n");
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
