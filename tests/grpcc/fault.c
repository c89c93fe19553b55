/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/grpcc/fault.h"

#include <stdlib.h>

/* A scenario that makes more is a loop. */
enum { ALLOCATIONS_MAX = 2000 };
/* Threads make the number of allocations vary a little from run to run. */
enum { CLEAN_RUNS = 3 };

static atomic_uint calls;
static atomic_uint failing = UINT32_MAX; /* the number of the allocation that fails */
static atomic_bool failed;
static atomic_long live;

static bool fails(void)
{
    if (atomic_fetch_add(&calls, 1) != atomic_load(&failing))
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *fault_alloc(size_t size)
{
    void *pointer = fails() ? NULL : malloc(size);
    if (pointer)
        atomic_fetch_add(&live, 1);
    return pointer;
}

static void *faulty_realloc(void *old, size_t size)
{
    void *pointer = fails() ? NULL : realloc(old, size);
    if (pointer && !old)
        atomic_fetch_add(&live, 1);
    return pointer;
}

static void fault_free(void *pointer)
{
    if (pointer)
        atomic_fetch_sub(&live, 1);
    free(pointer);
}

void fault_install(void)
{
    static const struct grpcc_allocator faulty = {fault_alloc, faulty_realloc, fault_free};
    grpcc_set_allocator(&faulty);
}

void fault_arm(unsigned n)
{
    atomic_store(&failing, UINT32_MAX);
    atomic_store(&failed, false);
    atomic_store(&calls, 0);
    atomic_store(&failing, n);
}

bool fault_disarm(void)
{
    atomic_store(&failing, UINT32_MAX);
    return atomic_load(&failed);
}

long fault_live(void)
{
    return atomic_load(&live);
}

/* Whether the allocation was reached. */
static bool run_once(const struct fault_scenario *scenario, unsigned n)
{
    long before = fault_live();
    struct fixture *f = scenario->setup();
    fault_arm(n);
    scenario->run(f);
    bool reached = fault_disarm();
    struct grpcc_testing_answer *answer = must_end(f, GRPCC_OK, ask(f, "after"), NULL);
    assert_string_equal(answer->text, "after");
    void *state = f;
    fixture_free(&state);
    if (fault_live() != before)
        print_error("%s: %ld blocks are left where allocation %u failed\n", scenario->name,
                    fault_live() - before, n);
    assert_int_equal(fault_live(), before);
    return reached;
}

void fault_each(const struct fault_scenario *scenario, unsigned min)
{
    unsigned n = 0;
    for (int clean = 0; clean < CLEAN_RUNS; n++) {
        assert_true(n < ALLOCATIONS_MAX);
        clean = run_once(scenario, n) ? 0 : clean + 1;
    }
    print_message("%s: %u allocations\n", scenario->name, n - CLEAN_RUNS);
    assert_true(n - CLEAN_RUNS >= min);
}

void fault_must_be_sound(enum grpcc_status status)
{
    if (status != GRPCC_OK && status != GRPCC_RESOURCE_EXHAUSTED)
        print_error("%s\n", grpcc_status_name(status));
    assert_true(status == GRPCC_OK || status == GRPCC_RESOURCE_EXHAUSTED);
}
