/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>

#include "grpcc/arena.h"
#include "server/core/memory.h"
#include "tests/support/support.h"

/* Allocations until the one that fails; 0 or less: none is armed, or it has been. */
static _Atomic long left;
static _Atomic bool failed;

bool test_fault_hit(void)
{
    if (atomic_load_explicit(&left, memory_order_relaxed) <= 0)
        return false;
    if (atomic_fetch_sub(&left, 1) != 1)
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *fault_alloc(size_t size)
{
    return test_fault_hit() ? NULL : malloc(size);
}

static void *fault_realloc(void *pointer, size_t size)
{
    return test_fault_hit() ? NULL : realloc(pointer, size);
}

void test_fault_install(void)
{
    static const struct comb_allocator comb = {fault_alloc, fault_realloc, free};
    static const struct grpcc_allocator grpcc = {fault_alloc, fault_realloc, free};
    comb_memory_set_allocator(&comb);
    grpcc_set_allocator(&grpcc);
}

void test_fault_arm(long n)
{
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

bool test_fault_disarm(void)
{
    atomic_store(&left, 0);
    return atomic_exchange(&failed, false);
}
