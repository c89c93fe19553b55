/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian builds Abseil without NDEBUG, and so every mutex of core takes part in a search for
 * deadlocks: a graph of all of them under one lock of the process, with a stack trace for each
 * edge. It costs about 3 KiB for each connection that ever was, and time with every lock.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>

#include "core.h"

/* absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle) in Debian's namespace; other builds
 * have another name for it, and no search to be switched off. */
static const char name[] = "_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE";
enum { IGNORE_CYCLES = 0 };

static void switch_off(void)
{
    uintptr_t address = (uintptr_t)dlsym(RTLD_DEFAULT, name);
    if (address)
        ((void (*)(int))address)(IGNORE_CYCLES);
}

void grpcc_core_mutexes_search_no_deadlocks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, switch_off);
}
