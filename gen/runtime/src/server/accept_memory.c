/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/accept_memory.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

/* How often the heap is looked at, and how much it must have grown to be given back. */
enum { LOOK_S = 3, GROWN_BYTES = 4 << 20 };

/* Bytes of memory that the process has in use; 0: unknown. */
static size_t resident_bytes(void)
{
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%*s %zu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Free memory is what the heap has kept; it counts as free also when it has been given back, and is
 * in use again as soon as one byte of a page is. */
static void *give_back_main(void *unused)
{
    size_t free_before = 0, resident_before = 0;
    for (;;) {
        sleep(LOOK_S);
        size_t free_now = mallinfo2().fordblks;
        size_t resident_now = resident_bytes();
        bool grown = free_now > free_before + GROWN_BYTES ||
                     (free_now > GROWN_BYTES && resident_now > resident_before + GROWN_BYTES);
        if (grown) {
            malloc_trim(0);
            free_before = free_now;
            resident_before = resident_bytes();
        }
        if (free_now < free_before)
            free_before = free_now;
        if (resident_now < resident_before)
            resident_before = resident_now;
    }
    return unused;
}

static void start(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* Without the thread the memory is kept for the next crowd: no harm. */
    if (pthread_create(&thread, NULL, give_back_main, NULL) == 0) {
        pthread_setname_np(thread, "grpcc-memory");
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void grpcc_memory_give_back(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}
