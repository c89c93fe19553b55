/* SPDX-License-Identifier: Apache-2.0 */
/* Request ids, randomness, clocks, threads. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "client/lib/internal.h"

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * COMB_NS_PER_S + now.tv_nsec;
}

int64_t comb_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t comb_wall_s(void)
{
    return clock_ns(CLOCK_REALTIME) / COMB_NS_PER_S;
}

/* getrandom() never fails once the system's pool is ready, and never gives less for so few. */
static void fill_random(void *buffer, size_t size)
{
    while (getrandom(buffer, size, 0) != (ssize_t)size)
        ;
}

uint32_t comb_random32(void)
{
    uint32_t value;
    fill_random(&value, sizeof(value));
    return value;
}

/* RFC 9562, section 5.7: milliseconds, then random bits. */
void comb_id_new(char ret_text[COMB_ID_LENGTH + 1])
{
    unsigned char id[16];
    uint64_t now_ms = (uint64_t)(clock_ns(CLOCK_REALTIME) / COMB_NS_PER_MS);
    fill_random(id + 6, sizeof(id) - 6);
    for (int i = 0; i < 6; i++)
        id[i] = (unsigned char)(now_ms >> (40 - 8 * i));
    id[6] = 0x70 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    snprintf(ret_text, COMB_ID_LENGTH + 1,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1],
             id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
             id[14], id[15]);
}

const char *comb_request_id_new(struct grpcc_arena *arena)
{
    char id[COMB_ID_LENGTH + 1];
    comb_id_new(id);
    return grpcc_arena_strdup(arena, id);
}

bool comb_thread_start(pthread_t *ret_thread, void *(*function)(void *data), void *data)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(ret_thread, NULL, function, data) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started)
        pthread_setname_np(*ret_thread, "comb-client");
    return started;
}
